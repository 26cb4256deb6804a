// What a connection writes.
#include "reactor/connection.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>

#include "reactor/error.h"
#include "reactor/event_loop.h"
#include "reactor/loop_handler.h"

namespace reactor {
namespace {

constexpr std::size_t kComposeLimit = 8 * 1024;  // below this one copy beats an iovec
constexpr std::size_t kVectorLimit = 64;         // parts a sendmsg

}  // namespace

void Connection::Send(std::span<const std::span<const std::byte>> parts) {
  if (state_ != State::kOpen || fin_wanted_) return;
  std::size_t total = 0;
  for (const auto part : parts) total += part.size();
  if (total == 0) return;
  bytes_queued_ += total;
  std::size_t skip = 0;
  if (output_.empty() && writable_) {
    skip = WriteDirect(parts, total);
    if (state_ == State::kClosed) return;
  }
  if (skip < total) {
    for (const auto part : parts) {
      const std::size_t written = std::min(skip, part.size());
      output_.Append(part.subspan(written));
      skip -= written;
    }
    CountOutput();
  }
  AfterOutput();
  if (!output_.empty() && loop_->waiting_output().exceeded()) loop_->waiting_output().Shed();
  assert(IsConsistent());
}

std::size_t Connection::WriteDirect(std::span<const std::span<const std::byte>> parts,
                                    std::size_t total) noexcept {
  std::array<std::byte, kComposeLimit> composed;
  std::array<std::span<const std::byte>, 1> whole;
  if (parts.size() > 1 && total <= composed.size()) {
    std::size_t offset = 0;
    for (const auto part : parts) {
      std::memcpy(composed.data() + offset, part.data(), part.size());
      offset += part.size();
    }
    whole[0] = std::span(composed.data(), total);
    parts = whole;
  }
  std::size_t written = 0;
  while (written < total) {
    std::array<iovec, kVectorLimit> vectors;
    std::size_t count = 0;
    std::size_t asked = 0;
    std::size_t skip = written;
    for (const auto part : parts) {
      if (skip >= part.size()) {
        skip -= part.size();
        continue;
      }
      if (count == vectors.size()) break;
      vectors[count++] = {const_cast<std::byte*>(part.data() + skip), part.size() - skip};
      asked += part.size() - skip;
      skip = 0;
    }
    const ssize_t result =
        count == 1 ? SocketOps::Send(fd(), vectors[0].iov_base, asked)
                   : SocketOps::SendVector(fd(), vectors.data(), static_cast<int>(count));
    if (result == -EINTR) continue;
    if (result < 0) {
      OnSendFailure(static_cast<int>(-result));
      return written;
    }
    CountWritten(static_cast<std::size_t>(result));
    // Part of it does not mean that the kernel is full: only EAGAIN promises a new edge.
    written += static_cast<std::size_t>(result);
  }
  return written;
}

void Connection::FlushOutput() noexcept {
  while (!output_.empty() && writable_) {
    const auto parts = output_.Peek();
    const std::size_t total = parts[0].size() + parts[1].size();
    const std::size_t written =
        WriteDirect(std::span(parts).first(parts[1].empty() ? 1 : 2), total);
    if (state_ == State::kClosed) return;
    output_.Consume(written);
  }
  CountOutput();
  AfterOutput();
}

void Connection::OnSendFailure(int error) noexcept {
  writable_ = false;
  if (error == EAGAIN || error == EWOULDBLOCK) return;
  if (IsExhaustion(error)) {
    RetrySoon();
    return;
  }
  Abort(IsPeerFailure(error) ? CloseReason::kReset : CloseReason::kError, error);
}

void Connection::CountWritten(std::size_t count) noexcept {
  if (count == 0) return;
  bytes_written_.store(bytes_written() + count, std::memory_order_relaxed);
  if (!loop_->options().connection.idle_on_received && !leaving_) Touch();
  if (flush_target_ != 0) {
    if (bytes_written() >= flush_target_) flush_target_ = 0;
    Raise(kFlushedEvent);
  }
}

void Connection::CountOutput() noexcept {
  loop_->waiting_output().Update(*this, std::exchange(counted_output_, output_.size()));
}

void Connection::AfterOutput() noexcept {
  const ConnectionOptions& limits = loop_->options().connection;
  const std::size_t waiting = output_.size();
  if (waiting > limits.max_send_buffer) {
    Abort(CloseReason::kBackpressure);
    return;
  }
  if (waiting > limits.high_water_mark) {
    over_high_water_ = true;
    if (HasUnseenEnd()) loop_->Schedule(*this);
  } else if (waiting <= limits.low_water_mark) {
    if (std::exchange(over_high_water_, false) && MayRead()) loop_->Schedule(*this);
    if (std::exchange(wants_drain_, false)) Raise(kDrainEvent);
  }
  if (waiting == 0) OnOutputEmpty();
}

void Connection::NotifyFlushed() noexcept {
  if (state_ == State::kClosed) return;
  if (bytes_written() >= bytes_queued_) {
    Raise(kFlushedEvent);
  } else {
    flush_target_ = bytes_queued_;
  }
}

void Connection::NotifyDrained() noexcept {
  if (state_ == State::kClosed) return;
  if (output_.size() <= loop_->options().connection.low_water_mark) {
    Raise(kDrainEvent);
  } else {
    wants_drain_ = true;
  }
}

}  // namespace reactor
