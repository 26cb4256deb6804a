#pragma once

#ifndef NDEBUG
#include <atomic>
#include <thread>
#endif

namespace reactor {

/// Asserts that an object is used by one thread: `assert(thread_.IsCurrent())`. Belongs to nobody
/// at first; costs nothing where assertions are compiled out.
class ThreadCheck {
 public:
#ifdef NDEBUG
  void Release() noexcept {}
#else
  /// True on the thread it belongs to; makes the caller's that thread when it belongs to none.
  [[nodiscard]] bool Claim() noexcept {
    std::thread::id nobody;
    return owner_.compare_exchange_strong(nobody, std::this_thread::get_id()) || IsCurrent();
  }
  /// True on the thread it belongs to, and everywhere while it belongs to none.
  [[nodiscard]] bool IsCurrent() const noexcept {
    const std::thread::id owner = owner_.load();
    return owner == std::thread::id() || owner == std::this_thread::get_id();
  }
  /// It belongs to nobody from now on.
  void Release() noexcept { owner_.store({}); }

 private:
  std::atomic<std::thread::id> owner_;
#endif
};

}  // namespace reactor
