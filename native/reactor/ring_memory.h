#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <memory>
#include <utility>

namespace reactor {

/// Where the rings of one loop take their memory and give it back. The little of it that is kept
/// for the next one spares a busy connection, whose ring fills and empties with each message, an
/// allocation each time, while an empty ring owns nothing. Belongs to one loop, and outlives its
/// rings.
class RingMemory {
 public:
  using Block = std::unique_ptr<std::byte[]>;

  /// One spare block of each size up to this, so less than twice as many bytes in all.
  static constexpr std::size_t kLargestSpare = 1024 * 1024;

  /// `capacity`: a power of two. The bytes are uninitialised.
  [[nodiscard]] Block Take(std::size_t capacity) {
    if (capacity <= kLargestSpare && spares_[IndexOf(capacity)]) {
      return std::move(spares_[IndexOf(capacity)]);
    }
    return std::make_unique_for_overwrite<std::byte[]>(capacity);
  }

  void Give(Block block, std::size_t capacity) noexcept {
    if (capacity <= kLargestSpare) spares_[IndexOf(capacity)] = std::move(block);
  }

 private:
  [[nodiscard]] static std::size_t IndexOf(std::size_t capacity) noexcept {
    return static_cast<std::size_t>(std::countr_zero(capacity));
  }

  std::array<Block, std::countr_zero(kLargestSpare) + 1> spares_;
};

}  // namespace reactor
