#pragma once

#include <algorithm>
#include <cstdint>

#include "reactor/clock.h"

namespace reactor {

/// So many a second, and as many at once after a second's rest. What it remembers of whoever it
/// limits is one time: until then the rate is used up.
class AcceptRate {
 public:
  /// `a_second` 0: no limit.
  explicit AcceptRate(std::uint32_t a_second) noexcept
      : interval_(a_second == 0 ? 0 : kSecond / a_second) {}

  [[nodiscard]] bool limits() const noexcept { return interval_ != 0; }
  /// One more now? Counts it if so.
  [[nodiscard]] bool Pass(Nanoseconds& used_until, Nanoseconds now) const noexcept {
    if (IsUsedUp(used_until, now)) return false;
    if (limits()) used_until = std::max(used_until, now) + interval_;
    return true;
  }
  [[nodiscard]] bool IsUsedUp(Nanoseconds used_until, Nanoseconds now) const noexcept {
    return limits() && used_until > now && used_until - now > kSecond - interval_;
  }

 private:
  static constexpr Nanoseconds kSecond = FromMilliseconds(1000);

  Nanoseconds interval_;
};

}  // namespace reactor
