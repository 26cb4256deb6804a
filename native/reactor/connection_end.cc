// How a connection ends: closing, and deadlines.
#include "reactor/connection.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>

#include "reactor/error.h"
#include "reactor/event_loop.h"
#include "reactor/loop_handler.h"

namespace reactor {
namespace {

constexpr Nanoseconds kRetryDelay = FromMilliseconds(10);
// Between FIN and the first look whether it is acknowledged, and between two looks. A peer that
// answers with its own FIN does so within the first.
constexpr Nanoseconds kAcknowledgeDelay = FromMilliseconds(50);

}  // namespace

void Connection::ShutdownWrite() noexcept {
  if (!write_.is_open()) return;
  write_.WantFin();
  if (write_.empty()) OnOutputEmpty();
}

void Connection::Close(CloseReason reason) noexcept {
  if (state_ == State::kEstablishing) Abort(reason);
  if (reason == CloseReason::kShutdown) Hasten();
  if (state_ != State::kOpen) return;
  Enter(State::kFlushing);
  reason_ = reason;
  IgnoreInput();
  write_.WantFin();
  Withdraw(kEndEvent | kIdleEvent);
  // The peer that sends no frames has its time from the first of them on.
  if (!refused_) close_deadline_ = MonotonicNow() + loop_->options().connection.close_timeout;
  ArmTimer();
  if (write_.empty()) OnOutputEmpty();
  if (state_ != State::kClosed) {
    if (read_.hung_up()) read_.Suspect();
    if (MayRead()) loop_->Schedule(*this);
  }
  assert(IsConsistent());
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
  if (rest == 0 && !read_.readable()) {
    Finish(reason_, 0);
  } else {
    acknowledge_by_ = rest < 0 ? 0 : loop_->now() + kAcknowledgeDelay;
  }
}

void Connection::Abort(CloseReason reason, int error) noexcept {
  if (state_ == State::kEstablishing && reason != CloseReason::kShutdown) {
    Refuse(Refusal::kHandshakeClosed, error);
  } else if (state_ >= State::kEstablishing) {
    Finish(reason, error);
  }
}

void Connection::Finish(CloseReason reason, int error) noexcept {
  const bool opened = state_ != State::kEstablishing;
  Enter(State::kClosed);
  reason_ = refused_ ? CloseReason::kProtocol : reason;
  if (!refused_) error_ = error;
  DropInput();
  if (read_.Close()) loop_->OnFinalReadDone();
  loop_->wheel().Cancel(timer_);
  if (write_.Close()) CountOutput();
  socket_.Reset();  // leaves the poller by itself
  if (opened) {
    Withdraw(kEndEvent | kDrainEvent | kIdleEvent);
    Raise(kCloseEvent);
  } else {
    pending_ = 0;
    if (dial_ != 0) loop_->connector().Reject(dial_, error == 0 ? ECANCELED : error);
    Raise(kStepEvent);
  }
  const bool counted = counted_;
  counted_ = false;
  loop_->OnConnectionClosed(counted ? &remote_ : nullptr);
}

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
    if (pace_.running()) {
      deadline = std::min(deadline, pace_.Deadline(limits.incomplete_frame_timeout));
    }
  }
  if (admit_by_ != 0 && (state_ == State::kOpen || state_ == State::kEstablishing)) {
    deadline = std::min(deadline, admit_by_);
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
  if (state_ == State::kEstablishing && admit_by_ != 0 && now >= admit_by_) {
    Refuse(Refusal::kHandshakeTimeout, ETIMEDOUT);
    return;
  }
  if (state_ == State::kOpen) {
    // What the peer sent and we could not read yet is neither silence nor a stalled frame, unless
    // it is the peer who does not read.
    // Nor is what the application does not read a stalled frame; but whoever sends nothing more
    // meanwhile is idle.
    const bool unread = read_.has_unread() && !write_.is_full();
    if (unread) pace_.Restart(now, bytes_received());
    if ((unread && !read_.paused()) || OwesOutput()) last_activity_ = now;
    if (admit_by_ != 0 && now >= admit_by_) {
      Finish(CloseReason::kHandshake, 0);
      return;
    }
    const Nanoseconds timeout = loop_->options().connection.incomplete_frame_timeout;
    if (pace_.running() && pace_.IsTooSlow(now, timeout, bytes_received())) {
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
  Withdraw(kIdleEvent);
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
  read_.Suspect();
  write_.OnWritable();
  if (!write_.empty()) FlushOutput();
  if (state_ == State::kEstablishing) Raise(kStepEvent);
  if (MayRead()) loop_->Schedule(*this);
}

}  // namespace reactor
