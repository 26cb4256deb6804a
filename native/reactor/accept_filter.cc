#include "reactor/accept_filter.h"

#include <new>
#include <utility>

namespace reactor {

void AcceptFilter::SetRules(AccessRules rules) {
  const std::scoped_lock lock(mutex_);
  std::swap(rules_, rules);
  idle_.store(IsIdle(), std::memory_order_relaxed);
}

std::optional<Refusal> AcceptFilter::Admit(const Endpoint& remote, Nanoseconds now,
                                           bool& counted) noexcept {
  counted = false;
  const std::optional<Address> address = remote.address();
  if (!address) return std::nullopt;
  const std::scoped_lock lock(mutex_);
  if (rules_.deny.Contains(*address) || (rules_.allow && !rules_.allow->Contains(*address))) {
    return Refusal::kDenied;
  }
  if (!limiter_.limits()) return std::nullopt;
  try {
    const std::optional<Refusal> refusal = limiter_.Take(*address, now);
    counted = !refusal;
    return refusal;
  } catch (const std::bad_alloc&) {
    return Refusal::kMaxConnectionsPerAddress;
  }
}

void AcceptFilter::Leave(const Endpoint& remote) noexcept {
  const std::optional<Address> address = remote.address();
  if (!address) return;
  const std::scoped_lock lock(mutex_);
  limiter_.GiveBack(*address, MonotonicNow());
}

bool AcceptFilter::Pass(Nanoseconds now) noexcept {
  if (!rate_.limits()) return true;
  const std::scoped_lock lock(mutex_);
  return rate_.Pass(used_until_, now);
}

}  // namespace reactor
