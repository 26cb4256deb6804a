#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>

#include "reactor/ledger.h"

namespace bridge {

struct LargeFrame {
  std::size_t size = 0;
  std::unique_ptr<std::byte[]> bytes;
  [[no_unique_address]] reactor::Held<reactor::Asset::kFrame> held;
};

/// Frames too long for a slab, kept under a ticket until JavaScript fetches them. How much may wait
/// is bounded, or a receiver that is busy would be given frames without end.
class LargeFrames {
 public:
  /// Bytes that may wait; a single frame may be longer.
  static constexpr std::size_t kCapacity = 16 * 1024 * 1024;

  // --- the loop's thread -------------------------------------------------------------------------

  /// Copies a frame and returns its ticket; nothing while there is no room.
  std::optional<std::uint32_t> Put(std::span<const std::byte> frame);
  /// False after Put() found no room and until there is enough.
  [[nodiscard]] bool HasRoom() const noexcept { return refused_ == 0 || Fits(refused_); }

  // --- JavaScript's thread -----------------------------------------------------------------------

  /// The frame under a ticket; once.
  LargeFrame Take(std::uint32_t ticket);

 private:
  [[nodiscard]] bool Fits(std::size_t size) const noexcept {
    const std::size_t waiting = waiting_.load();
    return waiting == 0 || waiting + size <= kCapacity;
  }

  std::uint32_t next_ticket_ = 1;  // loop's thread, like the one below
  std::size_t refused_ = 0;        // bytes of the last frame, if Put() had no room for it
  std::atomic<std::size_t> waiting_{0};
  std::mutex mutex_;
  std::unordered_map<std::uint32_t, LargeFrame> frames_;  // guarded by mutex_
};

}  // namespace bridge
