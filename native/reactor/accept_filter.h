#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

#include "reactor/accept_rate.h"
#include "reactor/address_limiter.h"
#include "reactor/address_ranges.h"
#include "reactor/clock.h"
#include "reactor/endpoint.h"
#include "reactor/refusal.h"

namespace reactor {

struct AcceptLimits {
  std::size_t max_connections_per_address = 0;  // 0: no limit, as with the rates, a second
  std::uint32_t rate = 0;
  std::uint32_t rate_per_address = 0;
};

/// Who may come in.
struct AccessRules {
  std::optional<AddressRanges> allow;  // empty: everybody
  AddressRanges deny;                  // of those
};

/// Says which clients may connect, for all loops of a group. What has no address, a Unix socket's
/// peer, only counts towards the rate of all. Safe from any thread.
class AcceptFilter {
 public:
  explicit AcceptFilter(const AcceptLimits& limits) noexcept
      : limiter_(limits.max_connections_per_address, limits.rate_per_address), rate_(limits.rate) {}

  /// Those that come in from now on are asked by these.
  void SetRules(AccessRules rules);

  /// Nobody is ever refused now: Admit() and Pass() need not be asked.
  [[nodiscard]] bool idle() const noexcept { return idle_.load(std::memory_order_relaxed); }

  /// Empty: that address may have one more connection; `counted` says whether Leave() is to be
  /// called for it once.
  [[nodiscard]] std::optional<Refusal> Admit(const Endpoint& remote, Nanoseconds now,
                                             bool& counted) noexcept;
  void Leave(const Endpoint& remote) noexcept;
  /// Whether the rate of all has room for one more. Counts it if so.
  [[nodiscard]] bool Pass(Nanoseconds now) noexcept;

 private:
  [[nodiscard]] bool IsIdle() const noexcept {
    return !rules_.allow && rules_.deny.empty() && !limiter_.limits() && !rate_.limits();
  }

  std::mutex mutex_;  // guards all of it
  AccessRules rules_;
  AddressLimiter limiter_;
  const AcceptRate rate_;
  Nanoseconds used_until_ = 0;
  std::atomic<bool> idle_{IsIdle()};
};

}  // namespace reactor
