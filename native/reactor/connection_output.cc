// What a connection writes.
#include "reactor/connection.h"

#include <cassert>
#include <cerrno>
#include <utility>

#include "reactor/error.h"
#include "reactor/event_loop.h"
#include "reactor/loop_handler.h"

namespace reactor {

void Connection::Send(std::span<const std::span<const std::byte>> parts) noexcept {
  if (!write_.is_open()) return;
  std::size_t total = 0;
  for (const auto part : parts) total += part.size();
  if (total == 0) return;
  write_.CountQueued(total);
  std::size_t written = 0;
  if (write_.empty() && write_.writable()) {
    const WriteSide::Progress progress = Write(parts, total);
    OnProgress(progress);
    if (state_ == State::kClosed) return;
    written = progress.written;
  }
  if (written < total) {
    if (!write_.Keep(parts, written)) {
      Abort(CloseReason::kError, ENOMEM);
      return;
    }
    CountOutput();
  }
  AfterOutput();
  if (!write_.empty() && loop_->waiting_output().exceeded()) loop_->waiting_output().Shed();
  assert(IsConsistent());
}

WriteSide::Progress Connection::Write(WriteSide::Parts parts, std::size_t total) noexcept {
  if (read_.is_secure()) [[unlikely]]
    return write_.Write(*channel_, fd(), parts, total);
  return write_.Write(fd(), parts, total);
}

void Connection::FlushOutput() noexcept {
  OnProgress(write_.WriteWaiting(fd(), channel_.get()));
  if (state_ == State::kClosed) return;
  CountOutput();
  AfterOutput();
}

void Connection::OnProgress(WriteSide::Progress progress) noexcept {
  if (progress.written != 0) {
    if (!loop_->options().connection.idle_on_received && !leaving_) Touch();
    if (write_.TakeFlush()) Raise(kFlushedEvent);
  }
  if (progress.error != 0) OnSendFailure(progress.error);
}

void Connection::OnSendFailure(int error) noexcept {
  if (WouldBlock(-error)) return;
  if (IsExhaustion(error)) {
    RetrySoon();
    return;
  }
  Abort(IsPeerFailure(error) ? CloseReason::kReset : CloseReason::kError, error);
}

void Connection::CountOutput() noexcept { loop_->waiting_output().Update(*this); }

void Connection::AfterOutput() noexcept {
  const ConnectionOptions& limits = loop_->options().connection;
  const std::size_t waiting = write_.waiting();
  if (waiting > limits.max_send_buffer) {
    Abort(CloseReason::kBackpressure);
    return;
  }
  if (waiting > limits.high_water_mark) {
    write_.OnHighWater();
    if (HasUnseenEnd()) loop_->Schedule(*this);
  } else if (waiting <= limits.low_water_mark) {
    if (write_.OnLowWater() && MayRead()) loop_->Schedule(*this);
    if (write_.TakeDrain()) Raise(kDrainEvent);
  }
  if (waiting == 0) OnOutputEmpty();
}

void Connection::OnOutputEmpty() noexcept {
  if (write_.state() == WriteSide::State::kFinWanted) {
    SendFin();
    if (state_ == State::kClosed || write_.state() == WriteSide::State::kFinWanted) return;
  }
  if (state_ != State::kFlushing) return;
  Enter(State::kFinSent);
  if (read_.ended()) {
    Finish(reason_, 0);
  } else if (hastened_) {
    AwaitAcknowledgement();
  }
}

void Connection::SendFin() noexcept {
  const int result = write_.SendFin(fd(), channel_.get());
  if (result >= 0 || WouldBlock(result)) return;
  if (!read_.ended()) {
    Abort(CloseReason::kReset, -result);
  } else {
    Abort(state_ == State::kOpen ? CloseReason::kPeer : reason_);
  }
}

void Connection::NotifyFlushed() noexcept {
  if (state_ == State::kClosed) return;
  if (write_.owes_kernel()) {
    write_.AwaitFlush();
  } else {
    Raise(kFlushedEvent);
  }
}

void Connection::NotifyDrained() noexcept {
  if (state_ == State::kClosed) return;
  if (write_.waiting() <= loop_->options().connection.low_water_mark) {
    Raise(kDrainEvent);
  } else {
    write_.AwaitDrain();
  }
}

}  // namespace reactor
