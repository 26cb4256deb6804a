#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>

#include "reactor/accept_rate.h"
#include "reactor/address_ranges.h"
#include "reactor/clock.h"
#include "reactor/refusal.h"

namespace reactor {

/// What one client address may have: connections at a time, and accepts a second. Of IPv6 all of a
/// /64 is one client.
///
/// It knows addresses with connections, so not more than there are connections, and kCapacity
/// others at most, whose rate is not whole again. Of more it forgets those who may come again
/// first, so that nobody gets at his rate by having others forgotten.
///
/// One thread at a time.
class AddressLimiter {
 public:
  static constexpr std::size_t kCapacity = 65536;

  /// 0: no limit.
  AddressLimiter(std::size_t max_connections, std::uint32_t rate) noexcept
      : max_connections_(max_connections), rate_(rate) {}

  [[nodiscard]] bool limits() const noexcept { return max_connections_ != 0 || rate_.limits(); }
  /// Takes a place for one more connection, or says why not. May throw std::bad_alloc.
  [[nodiscard]] std::optional<Refusal> Take(const Address& address, Nanoseconds now);
  /// Gives back what Take() took.
  void GiveBack(const Address& address, Nanoseconds now) noexcept;

  /// Addresses that it knows.
  [[nodiscard]] std::size_t size() const noexcept { return clients_.size(); }

 private:
  /// Of the upper half, or of an IPv4 address behind what no client's upper half is.
  using Key = std::uint64_t;
  struct Client {
    std::size_t connections = 0;
    Nanoseconds used_until = 0;
    std::list<Key>::iterator place;  // in busy_, or without a connection in resting_
  };
  using Clients = std::unordered_map<Key, Client>;

  [[nodiscard]] static Key KeyOf(const Address& address) noexcept;
  void ForgetSome(Nanoseconds now) noexcept;
  void Forget(std::list<Key>::iterator place) noexcept;

  const std::size_t max_connections_;
  const AcceptRate rate_;
  Clients clients_;
  std::list<Key> busy_;
  std::list<Key> resting_;  // the one that has rested longest first
};

}  // namespace reactor
