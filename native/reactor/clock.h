// Time as the reactor counts it: nanoseconds of the monotonic clock behind the SocketOps seam.
#pragma once

#include <cstdint>

#include "reactor/socket_ops.h"

namespace reactor {

/// Nanoseconds since an arbitrary, fixed moment.
using Nanoseconds = std::uint64_t;

inline constexpr Nanoseconds kNanosecondsPerMillisecond = 1'000'000;

inline Nanoseconds MonotonicNow() noexcept { return SocketOps::MonotonicNanoseconds(); }

constexpr Nanoseconds FromMilliseconds(std::uint64_t milliseconds) noexcept {
  return milliseconds * kNanosecondsPerMillisecond;
}

}  // namespace reactor
