#include "reactor/timer_queue.h"

#include <utility>

#include "reactor/event_loop.h"
#include "reactor/ledger.h"

namespace reactor {

struct TimerQueue::Timer final : TimerTarget {
  Timer(TimerQueue& owner, TimerId timer_id, Nanoseconds first, Nanoseconds every) noexcept
      : queue(owner), id(timer_id), deadline(first), interval(every) {
    node.target = this;
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { queue.loop_.wheel().Cancel(node); }

  void OnDeadline() override {
    if (waiting) {
      ++skipped;
    } else {
      waiting = true;
      queue.due_.push_back(id);
    }
    if (interval == 0) return;
    // Deadlines missed altogether (a stalled loop) are skipped ticks, not a burst.
    const Nanoseconds now = queue.loop_.now();
    deadline += interval;
    if (deadline <= now) {
      const Nanoseconds missed = (now - deadline) / interval + 1;
      skipped += static_cast<std::uint32_t>(missed);
      deadline += missed * interval;
    }
    queue.loop_.ArmTimer(node, deadline);
  }

  TimerQueue& queue;
  TimerId id;
  Nanoseconds deadline;
  Nanoseconds interval;
  TimerNode node;
  bool waiting = false;  // due or delivered, and not acknowledged
  std::uint32_t skipped = 0;
  [[no_unique_address]] Held<Asset::kTimer> held;
};

TimerQueue::TimerQueue(EventLoop& loop) noexcept : loop_(loop) {}
TimerQueue::~TimerQueue() = default;

void TimerQueue::Start(TimerId id, Nanoseconds delay, Nanoseconds interval) {
  const Nanoseconds first = MonotonicNow() + delay;
  auto timer = std::make_unique<Timer>(*this, id, first, interval);
  loop_.ArmTimer(timer->node, first);
  timers_.insert_or_assign(id, std::move(timer));
}

void TimerQueue::Cancel(TimerId id) noexcept { timers_.erase(id); }

void TimerQueue::Acknowledge(TimerId id) noexcept {
  const auto it = timers_.find(id);
  if (it == timers_.end()) return;
  if (it->second->interval == 0) {
    timers_.erase(it);
  } else {
    it->second->waiting = false;
  }
}

bool TimerQueue::Emit(LoopHandler& handler) {
  std::size_t done = 0;
  for (; done < due_.size(); ++done) {
    const auto it = timers_.find(due_[done]);
    if (it == timers_.end()) continue;  // cancelled meanwhile
    // Taken before the call: the handler may cancel the timer, but then it had room for the tick.
    const std::uint32_t skipped = std::exchange(it->second->skipped, 0);
    if (!handler.OnTimer(it->first, skipped)) {
      it->second->skipped = skipped;
      break;
    }
  }
  due_.erase(due_.begin(), due_.begin() + static_cast<std::ptrdiff_t>(done));
  return due_.empty();
}

}  // namespace reactor
