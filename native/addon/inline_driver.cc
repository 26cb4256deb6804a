#include "addon/inline_driver.h"

#include "addon/environment.h"
#include "addon/reactor_wrap.h"
#include "reactor/error.h"

namespace addon {
namespace {

template <typename Handle>
InlineDriver* DriverOf(Handle* handle) noexcept {
  return static_cast<InlineDriver*>(uv_handle_get_data(reinterpret_cast<uv_handle_t*>(handle)));
}

}  // namespace

InlineDriver::InlineDriver(ReactorWrap& wrap, reactor::EventLoop& loop)
    : wrap_(wrap),
      loop_(loop),
      poll_(wrap.environment(), UV_POLL_TYPE, this),
      timer_(wrap.environment(), UV_TIMER_TYPE, this) {
  uv_loop_t* const uv = wrap.environment().uv_loop();
  reactor::ThrowIfFailed(uv_timer_init(uv, timer_.As<uv_timer_t>()), "uv_timer_init");
  timer_.MarkOpen();
  reactor::ThrowIfFailed(uv_poll_init(uv, poll_.As<uv_poll_t>(), loop_.descriptor()),
                         "uv_poll_init");
  poll_.MarkOpen();
  reactor::ThrowIfFailed(uv_poll_start(poll_.As<uv_poll_t>(), UV_READABLE,
                                       [](uv_poll_t* handle, int /*status*/, int /*events*/) {
                                         DriverOf(handle)->OnReady();
                                       }),
                         "uv_poll_start");
  Rearm();
}

// Turns alternate with JavaScript: JavaScript never runs inside a turn, so it may do anything,
// stopping the reactor included. In that case this object is gone when DeliverSlice() returns.
void InlineDriver::OnReady() {
  ReactorWrap& wrap = wrap_;
  turning_ = true;
  const reactor::Nanoseconds deadline =
      reactor::MonotonicNow() + wrap.environment().DeliveryTime(1);
  bool more = true;
  for (reactor::Nanoseconds now = 0; more && now < deadline; now = reactor::MonotonicNow()) {
    loop_.Turn(0);
    const bool delivered = wrap.DeliverSlice(deadline);
    if (!wrap.IsRunning()) return;
    more = delivered || loop_.HasWork();
  }
  turning_ = false;
  if (more) loop_.WakeAlways();
  Rearm();
}

void InlineDriver::RunCommands() {
  loop_.RunCommands();
  if (!turning_) Rearm();
}

void InlineDriver::Hold(bool hold) noexcept {
  poll_.Hold(hold);
  timer_.Hold(hold);
}

void InlineDriver::Rearm() {
  if (loop_.HasWork()) loop_.WakeAlways();
  const auto deadline = loop_.NextDeadline();
  const std::uint64_t wanted = deadline.value_or(0);
  if (wanted == armed_) return;
  armed_ = wanted;
  auto* const timer = timer_.As<uv_timer_t>();
  if (!deadline) {
    uv_timer_stop(timer);
    return;
  }
  const reactor::Nanoseconds now = reactor::MonotonicNow();
  const std::uint64_t wait = wanted <= now
                                 ? 0
                                 : (wanted - now + reactor::kNanosecondsPerMillisecond - 1) /
                                       reactor::kNanosecondsPerMillisecond;
  uv_update_time(wrap_.environment().uv_loop());  // its cached time may be as old as the last poll
  uv_timer_start(
      timer,
      [](uv_timer_t* handle) {
        InlineDriver* const driver = DriverOf(handle);
        driver->armed_ = 0;
        driver->OnReady();
      },
      wait, 0);
}

}  // namespace addon
