#include "reactor/secure_step.h"

#include <utility>

#include "reactor/clock.h"
#include "reactor/connection.h"
#include "reactor/event_loop.h"

namespace reactor {

SecureStep::SecureStep(std::shared_ptr<const SecureContext> context,
                       std::optional<std::string> server_name) noexcept
    : context_(std::move(context)), server_name_(std::move(server_name)) {}

PrefaceStep::Progress SecureStep::Advance(Connection& connection) noexcept {
  EventLoop& loop = connection.loop();
  if (!loop.MayShakeHands()) return Progress::kLater;
  const Nanoseconds begin = MonotonicNow();
  if (channel_ == nullptr) {
    channel_ = server_name_ ? context_->Dial(*server_name_) : context_->Accept();
    if (channel_ == nullptr) return Progress::kFailed;
  }
  const SecureChannel::Handshake state = channel_->Continue(connection.fd());
  loop.CountHandshake(MonotonicNow() - begin);
  switch (state) {
    case SecureChannel::Handshake::kPending:
      return Progress::kMore;
    case SecureChannel::Handshake::kFailed:
      return Progress::kFailed;
    case SecureChannel::Handshake::kDone:
      break;
  }
  connection.Secure(std::move(channel_));
  return Progress::kDone;
}

Refusal SecureStep::cause() const noexcept {
  const bool hung_up = channel_ != nullptr && channel_->failure().empty();
  return hung_up ? Refusal::kHandshakeClosed : Refusal::kTls;
}

std::string SecureStep::detail() const {
  if (channel_ == nullptr) return "there was no memory for it";
  return channel_->failure();
}

}  // namespace reactor
