#pragma once

#include <atomic>

namespace bridge {

/// How loops tell one JavaScript thread that events wait, with one wake-up for any number of them.
/// Carries no payload. Ring() is safe from any thread, the rest belongs to JavaScript's thread.
class Doorbell {
 public:
  virtual ~Doorbell() = default;

  void Ring() noexcept {
    if (state_.exchange(State::kRung) == State::kIdle) WakeUp();
  }
  /// JavaScript begins to look at everything there is.
  void BeginRound() noexcept { state_.store(State::kBusy); }
  /// True: nobody rang since BeginRound(), JavaScript may go idle. False: look again.
  [[nodiscard]] bool TryIdle() noexcept {
    State expected = State::kBusy;
    return state_.compare_exchange_strong(expected, State::kIdle);
  }

 protected:
  /// Makes the JavaScript thread call back soon. Any thread; at most once per idle period.
  virtual void WakeUp() noexcept = 0;

 private:
  enum class State { kIdle, kBusy, kRung };

  std::atomic<State> state_{State::kIdle};
};

}  // namespace bridge
