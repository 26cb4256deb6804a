#pragma once

#ifndef NDEBUG
#include <atomic>
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace reactor {

/// What somebody owns and must give back.
enum class Asset : std::uint8_t {
  kDescriptor,
  kThread,
  kConnection,  // slots in use
  kDial,
  kTimer,
  kSlab,       // in the hands of a stream or mailbox
  kFrame,      // too long for a slab
  kReference,  // to JavaScript's objects
  kHandle,     // of libuv
};
inline constexpr std::array kAssetNames = {"descriptors", "threads",    "connections",
                                           "dials",       "timers",     "slabs",
                                           "frames",      "references", "handles"};

#ifdef NDEBUG

class Ledger {
 public:
  static void Add(Asset /*asset*/, std::ptrdiff_t /*count*/) noexcept {}
};

template <Asset>
struct Held {};

#else

/// Counts what the whole process holds, so that tests can see that nothing is left when everything
/// has stopped. Safe from any thread; costs nothing where assertions are compiled out.
class Ledger {
 public:
  static void Add(Asset asset, std::ptrdiff_t count) noexcept {
    held_[static_cast<std::size_t>(asset)].fetch_add(count, std::memory_order_relaxed);
  }
  [[nodiscard]] static std::ptrdiff_t HeldOf(Asset asset) noexcept {
    return held_[static_cast<std::size_t>(asset)].load(std::memory_order_relaxed);
  }
  [[nodiscard]] static bool IsEmpty() noexcept {
    return std::ranges::all_of(held_, [](const auto& held) { return held.load() == 0; });
  }

 private:
  static inline std::array<std::atomic<std::ptrdiff_t>, kAssetNames.size()> held_{};
};

/// A member that enters the life of its owner in the ledger: `[[no_unique_address]] Held<…>
/// held_;`.
template <Asset asset>
class Held {
 public:
  Held() noexcept { Ledger::Add(asset, 1); }
  Held(const Held& /*other*/) noexcept : Held() {}
  Held& operator=(const Held& /*other*/) noexcept = default;
  ~Held() { Ledger::Add(asset, -1); }
};

#endif

}  // namespace reactor
