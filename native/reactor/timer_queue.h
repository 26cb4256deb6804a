#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "reactor/clock.h"
#include "reactor/loop_handler.h"
#include "reactor/timer_wheel.h"

namespace reactor {

class EventLoop;

/// The application's timers of one loop, on its wheel. A repeating timer keeps a fixed rate from
/// its previous deadline. A tick is delivered once the one before it was acknowledged; ticks that
/// fall due meanwhile are counted and told with the next. Loop thread only.
class TimerQueue {
 public:
  explicit TimerQueue(EventLoop& loop) noexcept;
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;
  ~TimerQueue();

  /// `interval` 0: once. `id` must be new.
  void Start(TimerId id, Nanoseconds delay, Nanoseconds interval);
  void Cancel(TimerId id) noexcept;
  /// The application is done with the last tick of `id`.
  void Acknowledge(TimerId id) noexcept;

  /// True while ticks wait for Emit().
  [[nodiscard]] bool has_due() const noexcept { return !due_.empty(); }
  /// Delivers due ticks. Returns false when the handler had no room for all.
  bool Emit(LoopHandler& handler);

 private:
  struct Timer;

  EventLoop& loop_;
  std::unordered_map<TimerId, std::unique_ptr<Timer>> timers_;
  std::vector<TimerId> due_;
};

}  // namespace reactor
