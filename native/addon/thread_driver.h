#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "addon/uv_handle.h"
#include "bridge/doorbell.h"
#include "reactor/clock.h"
#include "reactor/poller.h"

namespace addon {

class Environment;

/// Lets loops that run on their own threads call JavaScript's thread: one pollable descriptor for
/// all threaded reactors of an environment, watched by libuv. Ring() is safe from any thread; it
/// must not be called any more once the driver is destroyed (loops are joined before).
class ThreadDriver final : public bridge::Doorbell {
 public:
  /// Throws std::system_error.
  explicit ThreadDriver(Environment& environment);

  /// Stops watching and closes the descriptor, so that the process may end; Resume() is a new
  /// beginning.
  void Retire() noexcept;
  void Resume();

  /// One reactor more that keeps the process alive, or one less. At first there is none.
  void AddHolder() noexcept;
  void RemoveHolder() noexcept;

 protected:
  void WakeUp() noexcept override {
    if (poller_) poller_->Wakeup();
  }

 private:
  void OnReadable();
  bool DeliverInTurn(reactor::Nanoseconds deadline);

  Environment& environment_;
  std::size_t next_reactor_ = 0;
  std::size_t holders_ = 0;
  std::optional<reactor::Poller> poller_;  // used for its wake-up alone
  std::unique_ptr<UvHandle> watch_;
};

}  // namespace addon
