#include "addon/thread_driver.h"

#include <utility>
#include <vector>

#include "addon/environment.h"
#include "addon/reactor_wrap.h"
#include "reactor/error.h"

namespace addon {

ThreadDriver::ThreadDriver(Environment& environment) : environment_(environment) { Resume(); }

void ThreadDriver::Resume() {
  if (watch_) return;
  auto watch = std::make_unique<UvHandle>(environment_, UV_POLL_TYPE, this);
  auto* const poll = watch->As<uv_poll_t>();
  reactor::ThrowIfFailed(uv_poll_init(environment_.uv_loop(), poll, poller_.descriptor()),
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
}

void ThreadDriver::Retire() noexcept { watch_.reset(); }

void ThreadDriver::OnReadable() {
  poller_.Wait(0, [](reactor::PollToken, reactor::Ready) {});  // takes the wake-up back
  int budget = ReactorWrap::kBatchesACallback;
  do {
    BeginRound();
    bool any = true;
    while (any && budget > 0) {
      any = false;
      // A handler may start and stop reactors: walk a copy and ask each whether it still runs.
      // Should it stop the last of them, the round ends all the same: a bell left busy would stay
      // silent.
      const std::vector<ReactorWrap*> reactors = environment_.reactors();
      for (ReactorWrap* wrap : reactors) {
        if (environment_.ending()) return;
        if (!environment_.IsRegistered(*wrap) || !wrap->threaded()) continue;
        any |= wrap->DeliverBatches(budget);
      }
    }
    if (budget <= 0) {
      WakeUp();  // the rest in the next iteration of Node's loop
      return;
    }
  } while (!TryIdle());
}

}  // namespace addon
