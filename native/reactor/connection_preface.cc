// What a connection goes through before it opens.
#include <cassert>
#include <cerrno>
#include <utility>

#include "reactor/connection.h"
#include "reactor/error.h"
#include "reactor/event_loop.h"

namespace reactor {
// It may be the end that was told of, or room: the step finds out.
void Connection::OnReadyToEstablish(Ready ready) noexcept {
  if (Has(ready, Ready::kRead)) read_.OnEdge();
  if (Has(ready, Ready::kUrgent)) read_.OnUrgentData();
  if (Has(ready, Ready::kHangup)) read_.OnHangup();
  if (Has(ready, Ready::kWrite)) {
    write_.OnWritable();
    if (!write_.empty()) FlushOutput();
  }
  if (state_ == State::kEstablishing) Raise(kStepEvent);
  assert(IsConsistent());
}

// True: it is open. False: it waits, or has ended.
bool Connection::Establish() noexcept {
  Withdraw(kStepEvent);
  while (state_ == State::kEstablishing) {
    PrefaceStep* const step = preface_->current();
    if (step == nullptr) {
      OpenEstablished();
      break;
    }
    const PrefaceStep::Progress progress = step->Advance(*this);
    if (state_ != State::kEstablishing || progress == PrefaceStep::Progress::kMore) break;
    if (progress == PrefaceStep::Progress::kLater) {
      Raise(kStepEvent);
      break;
    }
    if (progress == PrefaceStep::Progress::kFailed) {
      Refuse(step->cause(), EPROTO);
    } else {
      preface_->GoOn();
    }
  }
  return state_ == State::kOpen;
}

// The steps were told of edges that they may not have used up.
void Connection::OpenEstablished() noexcept {
  Enter(State::kOpen);
  read_.Suspect();
  if (!loop_->options().connection.start_paused) {
    read_.Resume();
    admit_by_ = 0;
  }
  Touch();
  Raise(kOpenEvent);
  ArmTimer();
}

void Connection::EstablishNow() noexcept {
  if (state_ != State::kEstablishing) return;
  if (!Establish() && state_ == State::kEstablishing) Finish(CloseReason::kShutdown, ECANCELED);
}

void Connection::Refuse(Refusal cause, int error) noexcept {
  const PrefaceStep* const step = preface_->current();
  loop_->OnRefused(cause, remote_, step);
  Finish(CloseReason::kHandshake, error);
}

ssize_t Connection::Peek(std::span<std::byte> room) noexcept {
  const bool announced = read_.is_announced();
  return AwaitMore(read_.Peek(fd(), room), announced);
}

ssize_t Connection::Take(std::span<std::byte> room) noexcept {
  const bool announced = read_.is_announced();
  const ssize_t result = AwaitMore(read_.Receive(fd(), room), announced);
  if (result > 0) loop_->CountReceived(static_cast<std::size_t>(result));
  return result;
}

void Connection::BelongTo(const Endpoint& peer, bool counted) noexcept {
  assert(state_ == State::kEstablishing && !counted_);
  remote_ = peer;
  counted_ = counted;
}

ssize_t Connection::AwaitMore(ssize_t result, bool announced) noexcept {
  if (result >= 0) return result;
  if (WouldBlock(result)) {
    // The edge promised bytes; should it have been used up, this brings it back.
    if (announced && loop_->poller().Rearm(fd(), loop_->TokenOf(*this)) < 0) RetrySoon();
  } else if (IsExhaustion(static_cast<int>(-result))) {
    RetrySoon();
    return -EAGAIN;
  }
  return result;
}

}  // namespace reactor
