#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "addon/thread_driver.h"
#include "addon/uv_min.h"
#include "reactor/clock.h"

namespace addon {

class ReactorWrap;

/// What the addon keeps for one Node environment (main thread, worker, …), as its instance data:
/// the reactors that run in it and the end of them all. JavaScript's thread only.
///
/// When the environment ends: no more calls into JavaScript, loop threads joined, descriptors and
/// libuv handles closed, and only with the last close callback is Node allowed to go on.
class Environment final {
 public:
  explicit Environment(Napi::Env env);
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() = default;

  [[nodiscard]] static Environment& Of(Napi::Env env) {
    return *env.GetInstanceData<Environment>();
  }

  [[nodiscard]] napi_env env() const noexcept { return env_; }
  [[nodiscard]] uv_loop_t* uv_loop() const noexcept { return uv_loop_; }
  /// True once JavaScript must not be called any more.
  [[nodiscard]] bool ending() const noexcept { return ending_; }
  [[nodiscard]] const std::vector<ReactorWrap*>& reactors() const noexcept { return reactors_; }

  void Register(ReactorWrap& wrap) { reactors_.push_back(&wrap); }
  void Unregister(ReactorWrap& wrap) noexcept;
  [[nodiscard]] bool IsRegistered(const ReactorWrap& wrap) const noexcept;

  [[nodiscard]] std::size_t threaded_reactors() const noexcept { return threaded_reactors_; }
  /// How long one callback of libuv may deliver events of so many of the reactors, in ns: those of
  /// all together leave other JavaScript work its turn within 5 ms, and a call that goes on.
  [[nodiscard]] reactor::Nanoseconds DeliveryTime(std::size_t reactors) const noexcept;

  /// The doorbell of all threaded reactors; made for the first of them, gone with the last.
  ThreadDriver& AcquireThreadDriver();
  void ReleaseThreadDriver() noexcept;
  /// Between the two.
  [[nodiscard]] ThreadDriver& thread_driver() noexcept { return *thread_driver_; }

  void OnHandleClosing() noexcept { ++closing_handles_; }
  void OnHandleClosed() noexcept;

 private:
  static void OnCleanup(napi_async_cleanup_hook_handle handle, void* self);
  void End() noexcept;
  void FinishEnd() noexcept;

  napi_env env_;
  uv_loop_t* uv_loop_ = nullptr;
  napi_async_cleanup_hook_handle cleanup_ = nullptr;
  std::vector<ReactorWrap*> reactors_;
  std::unique_ptr<ThreadDriver> thread_driver_;
  std::size_t threaded_reactors_ = 0;
  std::size_t closing_handles_ = 0;
  bool ending_ = false;
};

}  // namespace addon
