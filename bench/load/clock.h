#pragma once

#include <cstdint>
#include <ctime>

namespace gev::load {

inline constexpr int64_t kNanosPerSecond = 1'000'000'000;

inline int64_t ReadClockNanos(clockid_t clock) {
  timespec now = {};
  ::clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * kNanosPerSecond + int64_t{now.tv_nsec};
}

// Monotonic; about 25 ns a call.
inline int64_t NowNanos() { return ReadClockNanos(CLOCK_MONOTONIC); }

inline int64_t SecondsToNanos(double seconds) {
  return static_cast<int64_t>(seconds * static_cast<double>(kNanosPerSecond));
}

inline double NanosToSeconds(int64_t nanos) {
  return static_cast<double>(nanos) / static_cast<double>(kNanosPerSecond);
}

inline double NanosToMicros(int64_t nanos) { return static_cast<double>(nanos) / 1e3; }

}  // namespace gev::load
