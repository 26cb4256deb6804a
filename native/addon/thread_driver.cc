#include "addon/thread_driver.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "addon/environment.h"
#include "addon/reactor_wrap.h"
#include "reactor/error.h"

namespace addon {
namespace {

// What a loop is given at a time, in ns, while events of others may wait.
constexpr reactor::Nanoseconds kSlice = 1'000'000;

}  // namespace

ThreadDriver::ThreadDriver(Environment& environment) : environment_(environment) { Resume(); }

void ThreadDriver::Resume() {
  if (watch_) return;
  poller_.emplace();
  auto watch = std::make_unique<UvHandle>(environment_, UV_POLL_TYPE, this);
  auto* const poll = watch->As<uv_poll_t>();
  reactor::ThrowIfFailed(uv_poll_init(environment_.uv_loop(), poll, poller_->descriptor()),
                         "uv_poll_init");
  watch->MarkOpen();
  reactor::ThrowIfFailed(
      uv_poll_start(poll, UV_READABLE,
                    [](uv_poll_t* handle, int /*status*/, int /*events*/) {
                      static_cast<ThreadDriver*>(
                          uv_handle_get_data(reinterpret_cast<uv_handle_t*>(handle)))
                          ->OnReadable();
                    }),
      "uv_poll_start");
  watch_ = std::move(watch);
  watch_->Hold(holders_ > 0);
  WakeUp();  // a ring that went to the descriptor of before would silence the bell for ever
}

void ThreadDriver::Retire() noexcept {
  watch_.reset();
  poller_.reset();
}

void ThreadDriver::AddHolder() noexcept {
  if (++holders_ == 1 && watch_) watch_->Hold(true);
}

void ThreadDriver::RemoveHolder() noexcept {
  if (--holders_ == 0 && watch_) watch_->Hold(false);
}

void ThreadDriver::OnReadable() {
  if (poller_) poller_->Wait(0, [](auto, auto) {});  // takes the wake-up back
  const reactor::Nanoseconds deadline =
      reactor::MonotonicNow() + environment_.DeliveryTime(environment_.threaded_reactors());
  // Should a handler stop the last of the reactors, the round ends all the same: a bell left busy
  // would stay silent.
  do {
    BeginRound();
    if (DeliverInTurn(deadline)) continue;
    if (!environment_.ending()) WakeUp();  // the rest in the next iteration of Node's loop
    return;
  } while (!TryIdle());
}

// One slice for each reactor that has events, again and again. False: at the deadline some may be
// left, and the next round begins with the one whose turn it is.
bool ThreadDriver::DeliverInTurn(reactor::Nanoseconds deadline) {
  // A handler may start and stop reactors: look anew each time.
  const std::vector<ReactorWrap*>& reactors = environment_.reactors();
  for (std::size_t idle = 0; idle < reactors.size(); ++next_reactor_) {
    const reactor::Nanoseconds now = reactor::MonotonicNow();
    if (environment_.ending() || now >= deadline) return false;
    ReactorWrap& wrap = *reactors[next_reactor_ % reactors.size()];
    const bool delivered = wrap.threaded() && wrap.DeliverSlice(std::min(now + kSlice, deadline));
    idle = delivered ? 0 : idle + 1;
  }
  return true;
}

}  // namespace addon
