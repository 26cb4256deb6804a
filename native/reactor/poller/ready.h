// What a poller reports, independent of the kernel interface behind it.
#pragma once

#include <cstdint>

namespace reactor {

/// Readiness bits. kHangup: the peer has sent FIN, or the socket failed; read until told so.
/// kUrgent: urgent data is in the stream, and a receive call stops at it.
enum class Ready : std::uint8_t { kNone = 0, kRead = 1, kWrite = 2, kHangup = 4, kUrgent = 8 };

constexpr Ready operator|(Ready a, Ready b) noexcept {
  return static_cast<Ready>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr bool Has(Ready set, Ready bit) noexcept {
  return (static_cast<unsigned>(set) & static_cast<unsigned>(bit)) != 0;
}

/// Names what became ready; given to Add(), handed back by Wait().
using PollToken = std::uint64_t;

/// Reserved by the pollers for their own wake-up.
inline constexpr PollToken kWakeupToken = ~PollToken{0};

}  // namespace reactor
