#include "reactor/address_limiter.h"

#include <cassert>
#include <cstring>
#include <iterator>

namespace reactor {
namespace {

constexpr std::size_t kLookedAt = 8;  // of those that rest, for one that can be forgotten
constexpr Address kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};  // ::ffff:0:0/96

std::uint64_t WordAt(const Address& address, std::size_t offset) noexcept {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < sizeof word; ++i) word = word << 8U | address[offset + i];
  return word;
}

}  // namespace

AddressLimiter::Key AddressLimiter::KeyOf(const Address& address) noexcept {
  constexpr std::size_t kMappedPrefix = 12;
  constexpr Key kNobodys = 0xffff'ffff'0000'0000;  // multicast is no client's
  if (std::memcmp(address.data(), kMapped.data(), kMappedPrefix) != 0) return WordAt(address, 0);
  return kNobodys | (WordAt(address, 8) & 0xffff'ffffU);
}

std::optional<Refusal> AddressLimiter::Take(const Address& address, Nanoseconds now) {
  const Key key = KeyOf(address);
  auto found = clients_.find(key);
  if (found == clients_.end()) {
    resting_.push_back(key);
    try {
      found = clients_.try_emplace(key).first;
    } catch (...) {
      resting_.pop_back();
      throw;
    }
    found->second.place = std::prev(resting_.end());
  }
  Client& client = found->second;
  if (max_connections_ != 0 && client.connections >= max_connections_) {
    return Refusal::kMaxConnectionsPerAddress;
  }
  if (!rate_.Pass(client.used_until, now)) return Refusal::kAcceptRatePerAddress;
  if (client.connections++ == 0) busy_.splice(busy_.end(), resting_, client.place);
  return std::nullopt;
}

void AddressLimiter::GiveBack(const Address& address, Nanoseconds now) noexcept {
  const auto found = clients_.find(KeyOf(address));
  assert(found != clients_.end() && found->second.connections > 0);
  Client& client = found->second;
  if (--client.connections != 0) return;
  resting_.splice(resting_.end(), busy_, client.place);
  ForgetSome(now);
}

// More of them than can come in by one call: those that rest for nothing do not pile up.
void AddressLimiter::ForgetSome(Nanoseconds now) noexcept {
  std::size_t looked_at = 0;
  for (auto place = resting_.begin(); place != resting_.end() && looked_at < kLookedAt;
       ++looked_at) {
    const auto next = std::next(place);
    if (clients_.find(*place)->second.used_until <= now) Forget(place);
    place = next;
  }
  if (resting_.size() <= kCapacity) return;
  looked_at = 0;
  for (auto place = resting_.begin(); looked_at < kLookedAt; ++place, ++looked_at) {
    if (rate_.IsUsedUp(clients_.find(*place)->second.used_until, now)) continue;
    Forget(place);
    return;
  }
  Forget(resting_.begin());
}

void AddressLimiter::Forget(std::list<Key>::iterator place) noexcept {
  clients_.erase(*place);
  resting_.erase(place);
}

}  // namespace reactor
