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
constexpr std::size_t kComposeLimit = 8 * 1024;        // below this one copy beats an iovec
constexpr std::size_t kVectorLimit = 64;               // parts a sendmsg
constexpr Nanoseconds kRetryDelay = FromMilliseconds(10);
constexpr std::uint64_t kMinimumPace = 1024;  // bytes a second of a frame that takes long
// Between FIN and the first look whether it is acknowledged, and between two looks. A peer that
// answers with its own FIN does so within the first.
constexpr Nanoseconds kAcknowledgeDelay = FromMilliseconds(50);

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

void Connection::Open(EventLoop& loop, std::uint32_t slot, Descriptor socket,
                      const Endpoint& remote, DialToken dial) noexcept {
  loop_ = &loop;
  slot_ = slot;
  socket_ = std::move(socket);
  output_.UseMemory(&loop.ring_memory());
  remote_ = remote;
  dial_ = dial;
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

// --- writing -------------------------------------------------------------------------------------

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

// --- closing -------------------------------------------------------------------------------------

void Connection::ShutdownWrite() noexcept {
  if (state_ != State::kOpen || fin_wanted_) return;
  fin_wanted_ = true;
  if (output_.empty()) OnOutputEmpty();
}

void Connection::Close(CloseReason reason) noexcept {
  if (reason == CloseReason::kShutdown) Hasten();
  if (state_ != State::kOpen) return;
  Enter(State::kFlushing);
  reason_ = reason;
  DropInput();
  pending_ &= static_cast<std::uint8_t>(~(kEndEvent | kIdleEvent));
  // The peer that sends no frames has its time from the first of them on.
  if (!refused_) close_deadline_ = MonotonicNow() + loop_->options().connection.close_timeout;
  if (final_read_) FinishFinalRead();
  ArmTimer();
  if (output_.empty()) OnOutputEmpty();
  if (state_ != State::kClosed && (readable_ || hangup_)) {
    readable_ = true;
    loop_->Schedule(*this);
  }
  assert(IsConsistent());
}

void Connection::RefuseInput(int error) noexcept {
  if (state_ != State::kOpen || refused_) return;
  if (dial_ != 0) {
    Abort(CloseReason::kProtocol, error);
    return;
  }
  refused_ = true;
  error_ = error;
  DropInput();
  const Nanoseconds deadline = MonotonicNow() + loop_->options().connection.close_timeout;
  close_deadline_ = close_deadline_ == 0 ? deadline : std::min(close_deadline_, deadline);
  ArmTimer();
  Raise(kEndEvent);
  assert(IsConsistent());
}

void Connection::OnOutputEmpty() noexcept {
  if (state_ == State::kFlushing) {
    SendFin();
    if (state_ == State::kClosed) return;
    Enter(State::kFinSent);
    if (end_seen_) {
      Finish(reason_, 0);
    } else if (hastened_) {
      AwaitAcknowledgement();
    }
  } else if (state_ == State::kOpen && fin_wanted_) {
    SendFin();
  }
}

// Whatever it closes for, or has begun to: a server that stops does not wait for its peer's FIN.
void Connection::Hasten() noexcept {
  if (std::exchange(hastened_, true)) return;
  if (state_ == State::kFinSent) AwaitAcknowledgement();
}

void Connection::AwaitAcknowledgement() noexcept {
  acknowledge_by_ = MonotonicNow() + kAcknowledgeDelay;
  ArmTimer();
}

// Whose system holds all that was sent is owed nothing, and need not say FIN for the server to
// stop. Unread bytes would turn the end into a reset, which may cost the peer what it has not read
// yet: as long as some come, it is looked again.
void Connection::LookForAcknowledgement() noexcept {
  const int rest = SocketOps::Unacknowledged(fd());
  if (rest == 0 && !readable_) {
    Finish(reason_, 0);
  } else {
    acknowledge_by_ = rest < 0 ? 0 : loop_->now() + kAcknowledgeDelay;
  }
}

void Connection::SendFin() noexcept {
  if (fin_sent_) return;
  fin_sent_ = true;
  const int result = SocketOps::Shutdown(fd(), SHUT_WR);
  if (result >= 0) return;
  if (!end_seen_) {
    Abort(CloseReason::kReset, -result);
  } else {
    Abort(state_ == State::kOpen ? CloseReason::kPeer : reason_);
  }
}

void Connection::Abort(CloseReason reason, int error) noexcept {
  if (state_ == State::kOpen || state_ == State::kFlushing || state_ == State::kFinSent) {
    Finish(reason, error);
  }
}

void Connection::Finish(CloseReason reason, int error) noexcept {
  Enter(State::kClosed);
  reason_ = refused_ ? CloseReason::kProtocol : reason;
  if (!refused_) error_ = error;
  DropInput();
  readable_ = false;
  loop_->wheel().Cancel(timer_);
  if (!output_.empty()) {
    output_.Clear();
    CountOutput();
  }
  socket_.Reset();  // leaves the poller by itself
  pending_ &= kOpenEvent | kFlushedEvent;
  if (final_read_) FinishFinalRead();
  Raise(kCloseEvent);
  loop_->OnConnectionClosed();
}

// --- time ----------------------------------------------------------------------------------------

// The loop's own time is that of the beginning of its turn, and a turn that writes megabytes is
// long enough to end a connection early by it.
void Connection::Touch() noexcept {
  if (idle_timeout_ != 0) last_activity_ = MonotonicNow();
}

// Activity only moves `last_activity_`; the wheel finds out when the old deadline expires.
void Connection::ArmTimer() noexcept {
  const ConnectionOptions& limits = loop_->options().connection;
  Nanoseconds deadline = close_deadline_ == 0 ? ~Nanoseconds{0} : close_deadline_;
  if (state_ == State::kOpen) {
    if (idle_timeout_ != 0 && !idle_asked_) {
      deadline = std::min(deadline, last_activity_ + idle_timeout_);
    }
    if (admit_by_ != 0) deadline = std::min(deadline, admit_by_);
    if (frame_incomplete_ && limits.incomplete_frame_timeout != 0) {
      deadline = std::min(deadline,
                          std::min(frame_progress_, pace_since_) + limits.incomplete_frame_timeout);
    }
  }
  if (retry_at_ != 0) deadline = std::min(deadline, retry_at_);
  if (acknowledge_by_ != 0) deadline = std::min(deadline, acknowledge_by_);
  if (deadline == ~Nanoseconds{0}) return;
  loop_->ArmTimer(timer_, deadline);
}

void Connection::OnDeadline() {
  const Nanoseconds now = loop_->now();
  if (close_deadline_ != 0 && now >= close_deadline_) {
    Finish(state_ == State::kOpen ? CloseReason::kPeer : reason_, 0);
    return;
  }
  if (state_ == State::kOpen) {
    // What the peer sent and we could not read yet is neither silence nor a stalled frame, unless
    // it is the peer who does not read.
    // Nor is what the application does not read a stalled frame; but whoever sends nothing more
    // meanwhile is idle.
    const bool unread = (readable_ || unparsed_) && !over_high_water_;
    if (unread) {
      frame_progress_ = now;
      StartPace(now, 0);
    }
    if ((unread && !paused_) || OwesOutput()) last_activity_ = now;
    if (admit_by_ != 0 && now >= admit_by_) {
      Finish(CloseReason::kHandshake, 0);
      return;
    }
    if (frame_incomplete_ && IsFrameTooSlow(now)) {
      Finish(CloseReason::kProtocol, ETIMEDOUT);
      return;
    }
    if (!idle_asked_ && IsIdle(now)) {
      // A peer that has sent nothing is owed no reply: nobody has to be asked. One that is to leave
      // may be owed the word that tells it so.
      if (bytes_received() == 0 && !leaving_) {
        EndIdle();
        return;
      }
      idle_asked_ = true;
      Raise(kIdleEvent);
    }
  }
  if (acknowledge_by_ != 0 && now >= acknowledge_by_) {
    LookForAcknowledgement();
    if (state_ == State::kClosed) return;
  }
  if (retry_at_ != 0 && now >= retry_at_) Retry();
  if (state_ != State::kClosed) ArmTimer();
  assert(IsConsistent());
}

bool Connection::IsIdle(Nanoseconds now) const noexcept {
  return idle_timeout_ != 0 && now >= last_activity_ + idle_timeout_ && !OwesOutput();
}

/// How fast a frame comes is judged anew; `received` bytes of it count already.
void Connection::StartPace(Nanoseconds now, std::size_t received) noexcept {
  pace_since_ = now;
  pace_from_ = bytes_received() - std::min<std::uint64_t>(received, bytes_received());
}

// Silence for a time-out is the end of it, and so is less than the minimum pace over one.
bool Connection::IsFrameTooSlow(Nanoseconds now) noexcept {
  const Nanoseconds timeout = loop_->options().connection.incomplete_frame_timeout;
  if (timeout == 0) return false;
  if (now >= frame_progress_ + timeout) return true;
  if (now < pace_since_ + timeout) return false;
  const std::uint64_t milliseconds = (now - pace_since_) / kNanosecondsPerMillisecond;
  if ((bytes_received() - pace_from_) * 1000 < kMinimumPace * milliseconds) return true;
  StartPace(now, 0);
  return false;
}

void Connection::SetIdleTimeout(Nanoseconds timeout) noexcept {
  if (leaving_) return;
  idle_timeout_ = timeout;
  RestartIdle();
}

void Connection::Leave(Nanoseconds quiet, CloseReason reason) noexcept {
  if (reason == CloseReason::kShutdown) Hasten();
  if (state_ != State::kOpen) return;
  leaving_ = true;
  reason_ = reason;
  idle_timeout_ = quiet;
  RestartIdle();
}

void Connection::EndIdle() noexcept {
  if (leaving_) {
    Close(reason_);
  } else {
    Finish(CloseReason::kIdle, 0);
  }
}

void Connection::ExpireIdle() noexcept {
  if (state_ != State::kOpen || !std::exchange(idle_asked_, false)) return;
  if (IsIdle(MonotonicNow())) {
    EndIdle();
  } else {
    ArmTimer();
  }
}

void Connection::RestartIdle() noexcept {
  if (state_ != State::kOpen) return;
  idle_asked_ = false;
  pending_ &= static_cast<std::uint8_t>(~kIdleEvent);
  Touch();
  ArmTimer();
}

// The kernel is short of memory: a pause, not an end, and no spinning meanwhile.
void Connection::RetrySoon() noexcept {
  retry_at_ = loop_->now() + kRetryDelay;
  ArmTimer();
}

void Connection::Retry() noexcept {
  retry_at_ = 0;
  readable_ = writable_ = true;
  if (!output_.empty()) FlushOutput();
  if (MayRead()) loop_->Schedule(*this);
}

}  // namespace reactor
