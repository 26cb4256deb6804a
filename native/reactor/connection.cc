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

constexpr std::size_t kFinalReadBudget = 1024 * 1024;  // bytes read at most when the server stops

/// The arrows of the picture in the header, and those of the slot.
[[maybe_unused]] bool IsTransition(Connection::State from, Connection::State to) noexcept {
  using State = Connection::State;
  switch (from) {
    case State::kFree:
      return to == State::kOpen;
    case State::kOpen:
      return to == State::kFlushing || to == State::kClosed;
    case State::kFlushing:
      return to == State::kFinSent || to == State::kClosed;
    case State::kFinSent:
      return to == State::kClosed;
    case State::kClosed:
      return to == State::kFree;
  }
  return false;
}

bool WouldBlock(ssize_t result) noexcept { return result == -EAGAIN || result == -EWOULDBLOCK; }

}  // namespace

void Connection::Open(EventLoop& loop, std::uint32_t slot, FileDescriptor socket,
                      const Endpoint& remote, DialToken dial, std::uint16_t listener) noexcept {
  loop_ = &loop;
  slot_ = slot;
  socket_ = std::move(socket);
  output_.UseMemory(&loop.ring_memory());
  remote_ = remote;
  dial_ = dial;
  listener_ = listener;
  // Of a Unix socket a receive call stops at descriptors, which nobody wants and the kernel closes.
  stops_short_ = remote.is_unix() || !loop.short_reads_tell_the_end();
  Enter(State::kOpen);
  const ConnectionOptions& options = loop.options().connection;
  paused_ = options.start_paused;
  admitted_ = !options.start_paused;
  idle_timeout_ = options.idle_timeout;
  if (!admitted_ && options.handshake_timeout != 0) {
    admit_by_ = MonotonicNow() + options.handshake_timeout;
  }
  Touch();
  Raise(kOpenEvent);
  ArmTimer();
}

void Connection::MarkFree() noexcept {
  generation_.fetch_add(1, std::memory_order_release);
  Enter(State::kFree);
  pending_ = 0;
  scheduled_ = readable_ = hangup_ = fresh_edge_ = paused_ = over_high_water_ = unparsed_ = false;
  end_seen_ = fin_wanted_ = fin_sent_ = wants_drain_ = final_read_ = reading_ended_ = false;
  idle_asked_ = end_awaited_ = refused_ = leaving_ = hastened_ = false;
  assert(counted_output_ == 0 && output_rank_ == 0);
  assert(kept_input_ == 0 && !frame_incomplete_ && !partial_link_.linked);
  writable_ = true;
  error_ = 0;
  bytes_written_.store(0, std::memory_order_release);
  bytes_received_.store(0, std::memory_order_release);
  bytes_queued_ = flush_target_ = final_read_left_ = 0;
  close_deadline_ = retry_at_ = acknowledge_by_ = 0;
}

void Connection::Enter(State next) noexcept {
  assert(loop_->thread().IsCurrent());
  assert(IsTransition(state_, next));
  state_ = next;
}

bool Connection::IsConsistent() const noexcept {
  // Who waits for the loop is on its list; output that waits has somebody to move it.
  const bool attended = scheduled_ || (pending_ == 0 && !MayRead());
  switch (state_) {
    case State::kFree:
      return !scheduled_ && pending_ == 0 && !socket_.valid() && !timer_.armed();
    case State::kClosed:
      return attended && !socket_.valid() && output_.empty() && !timer_.armed();
    case State::kFlushing:
      return attended && socket_.valid() && !output_.empty() && !writable_;
    case State::kFinSent:
      return attended && socket_.valid() && output_.empty() && fin_sent_;
    case State::kOpen:
      return attended && socket_.valid() && (output_.empty() || (!writable_ && !fin_sent_));
  }
  return false;
}

// --- reading -------------------------------------------------------------------------------------

void Connection::OnReady(Ready ready) noexcept {
  if (state_ == State::kClosed) return;
  if (Has(ready, Ready::kRead)) {
    readable_ = fresh_edge_ = true;
    // Bytes have come, though nobody reads them now.
    if (paused_) Touch();
  }
  if (Has(ready, Ready::kUrgent)) stops_short_ = true;
  if (Has(ready, Ready::kHangup)) hangup_ = true;
  if (Has(ready, Ready::kWrite)) {
    writable_ = true;
    if (!output_.empty()) FlushOutput();
  }
  if (MayRead() || HasUnseenEnd()) loop_->Schedule(*this);
  assert(IsConsistent());
}

bool Connection::MayRead() const noexcept {
  if (state_ == State::kOpen && !refused_) {
    return (readable_ || unparsed_) && !paused_ && !over_high_water_ && !reading_ended_;
  }
  return readable_ && state_ != State::kFree && state_ != State::kClosed;
}

bool Connection::Serve(bool& released) {
  if ((pending_ & kOpenEvent) != 0) {
    if (!loop_->handler().OnOpen(*this)) return true;
    pending_ &= static_cast<std::uint8_t>(~kOpenEvent);
  }
  if (MayRead()) {
    if (state_ == State::kOpen && !refused_) {
      if (!Read()) return true;
    } else {
      Discard();
    }
  }
  if (HasUnseenEnd()) LookForEnd();
  if (final_read_ && (refused_ || !MayRead() || final_read_left_ == 0)) FinishFinalRead();
  if (!EmitPending(released)) return true;
  return MayRead();
}

bool Connection::Read() {
  LoopHandler& handler = loop_->handler();
  std::size_t budget = loop_->ReadShare();
  // The handler may close or pause: look again each time.
  while (budget > 0 && state_ == State::kOpen && !refused_ && MayRead()) {
    std::size_t count = 0;
    if (!unparsed_) {
      const std::span<std::byte> room = handler.PrepareRead(*this);
      if (room.empty()) return false;
      count = Receive(room.first(std::min(room.size(), budget)));
      if (count == 0) return true;
      bytes_received_.store(bytes_received() + count, std::memory_order_relaxed);
      Touch();
      if (end_awaited_) AwaitEnd();
    }
    unparsed_ = false;
    switch (handler.CommitRead(*this, count)) {
      case ReadVerdict::kContinue:
        break;
      case ReadVerdict::kNoRoom:
        unparsed_ = true;
        return false;
      case ReadVerdict::kLater:
        unparsed_ = true;
        return true;
      case ReadVerdict::kInvalidFrame:
        RefuseInput(EBADMSG);
        return true;
      case ReadVerdict::kFrameTooLong:
        RefuseInput(EMSGSIZE);
        return true;
    }
    budget -= std::min(budget, count);
    if (final_read_) {
      final_read_left_ -= std::min<std::uint64_t>(final_read_left_, count);
      if (final_read_left_ == 0) return true;
    }
  }
  return true;
}

// While closing, and once its input is refused, what the peer still sends is read and dropped:
// unread bytes would turn our FIN into a reset and could cost the peer the end of our output.
void Connection::Discard() noexcept {
  const std::span<std::byte> scratch = loop_->scratch();
  for (std::size_t budget = loop_->ReadShare(); readable_ && budget > 0;) {
    budget -= Receive(scratch.first(std::min(scratch.size(), budget)));
  }
}

// Nobody reads, and the peer has sent FIN or the connection broke. A reset is the end at once, and
// so is a FIN with nothing in front of it. Bytes in front of it are to be delivered first, but not
// at any time: whoever never reads them keeps the connection no longer than one who never replies.
void Connection::LookForEnd() noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  if (SocketOps::GetOption(fd(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error != 0) {
    OnReceiveError(error);
    return;
  }
  if (state_ != State::kOpen || end_seen_ || reading_ended_ || refused_) return;
  std::byte next{};
  ssize_t result = 0;
  do {
    result = SocketOps::Peek(fd(), &next, sizeof next);
  } while (result == -EINTR);
  if (result == 0 && !unparsed_) {
    OnEndOfInput();
  } else if (result >= 0) {
    if (!end_awaited_) AwaitEnd();
  } else if (!WouldBlock(result)) {
    OnReceiveError(static_cast<int>(-result));
  }
}

// Reading on makes the time begin anew.
void Connection::AwaitEnd() noexcept {
  end_awaited_ = true;
  close_deadline_ = MonotonicNow() + loop_->options().connection.half_close_timeout;
  ArmTimer();
}

// Returns 0 when there is nothing now; what that means for the connection is then dealt with.
std::size_t Connection::Receive(std::span<std::byte> room) noexcept {
  const bool fresh_edge = std::exchange(fresh_edge_, false);
  ssize_t result = 0;
  do {
    result = SocketOps::Receive(fd(), room.data(), room.size());
  } while (result == -EINTR);
  if (result > 0) {
    const auto count = static_cast<std::size_t>(result);
    loop_->CountReceived(count);
    // A stream that gave less than was asked for is empty, and its next byte is a new edge
    // (epoll(7)). A hang-up has no further edge, and a call that stops at urgent data has left
    // some.
    if (count < room.size() && !hangup_ && !stops_short_) readable_ = false;
    return count;
  }
  readable_ = false;
  if (result == 0) {
    OnEndOfInput();
  } else if (!WouldBlock(result)) {
    OnReceiveError(static_cast<int>(-result));
  } else if (fresh_edge) {
    // The edge promised bytes; should it have been used up, this brings it back.
    loop_->poller().Rearm(fd(), loop_->TokenOf(*this));
  }
  return 0;
}

void Connection::OnEndOfInput() noexcept {
  const bool first = !std::exchange(end_seen_, true);  // later edges tell of it again
  DropInput();                                         // an incomplete frame
  if (state_ == State::kFinSent) {
    Finish(reason_, 0);
  } else if (state_ == State::kOpen && first && !refused_) {
    AwaitEnd();
    Raise(kEndEvent);
  }
}

void Connection::OnReceiveError(int error) noexcept {
  if (IsExhaustion(error)) {
    RetrySoon();
  } else if (state_ == State::kFinSent) {
    Finish(reason_, 0);  // everything was handed over: the peer merely hung up impolitely
  } else {
    Abort(IsPeerFailure(error) ? CloseReason::kReset : CloseReason::kError, error);
  }
}

void Connection::Pause() noexcept {
  paused_ = true;
  if (HasUnseenEnd()) loop_->Schedule(*this);  // it may have been seen in this very turn
}

void Connection::Resume() noexcept {
  paused_ = false;
  admitted_ = true;
  admit_by_ = 0;
  if (hangup_) readable_ = true;
  if (MayRead()) loop_->Schedule(*this);
  assert(IsConsistent());
}

void Connection::SetKeptInput(const KeptInput& kept) noexcept {
  if (kept.bytes == 0 && kept_input_ == 0) return;
  if (state_ != State::kOpen || refused_) return;
  loop_->partial_frames().Update(*this, std::exchange(kept_input_, kept.bytes), kept);
  frame_incomplete_ = kept.incomplete;
  if (frame_incomplete_ && loop_->options().connection.incomplete_frame_timeout != 0) {
    frame_progress_ = loop_->now();
    if (kept.begun) StartPace(frame_progress_, kept.bytes);
    ArmTimer();
  }
  loop_->ShedPartialFrames();
}

void Connection::DropInput() noexcept {
  unparsed_ = frame_incomplete_ = false;
  if (kept_input_ == 0) return;
  loop_->partial_frames().Update(*this, std::exchange(kept_input_, 0), {});
  loop_->handler().DropInput(*this);
}

void Connection::BeginFinalRead() noexcept {
  if (state_ != State::kOpen || reading_ended_) return;
  final_read_ = true;
  final_read_left_ = kFinalReadBudget;
  readable_ = true;  // the edge may not have been polled yet
  loop_->Schedule(*this);
}

void Connection::FinishFinalRead() noexcept {
  final_read_ = false;
  reading_ended_ = true;
  loop_->OnFinalReadDone();
}

// --- events --------------------------------------------------------------------------------------

void Connection::Raise(Pending event) noexcept {
  pending_ |= event;
  loop_->Schedule(*this);
}

bool Connection::EmitPending(bool& released) {
  if (pending_ == 0) return true;
  LoopHandler& handler = loop_->handler();
  const auto emit = [this](Pending event, auto&& deliver) {
    if ((pending_ & event) == 0) return true;
    // Cleared before the call: what the handler does there may raise the event anew.
    pending_ &= static_cast<std::uint8_t>(~event);
    if (deliver()) return true;
    pending_ |= event;
    return false;
  };
  if (!emit(kFlushedEvent, [&] { return handler.OnFlushed(*this); })) return false;
  if (!emit(kDrainEvent, [&] { return handler.OnDrain(*this); })) return false;
  if (!emit(kIdleEvent, [&] { return handler.OnIdle(*this); })) return false;
  if (!unparsed_ && !emit(kEndEvent, [&] { return handler.OnEnd(*this); })) return false;
  return emit(kCloseEvent, [&] {
    released = handler.OnClose(*this, reason_, error_);
    return released;
  });
}

}  // namespace reactor
