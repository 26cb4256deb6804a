#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <unordered_map>

#include "bridge/frame_buffer.h"
#include "bridge/frame_memory.h"
#include "reactor/ledger.h"

namespace bridge {

/// A frame that owns the memory in which it was received.
struct LargeFrame {
  LargeFrame() = default;
  /// Takes the first `consumed` bytes of `buffer`, whose payload begins at `payload_offset` and has
  /// `payload_size` bytes, without a copy.
  LargeFrame(FrameBuffer& buffer, std::size_t payload_offset, std::size_t payload_size,
             std::size_t consumed)
      : size(payload_size), memory(buffer.TakeFront(consumed, offset)) {
    offset += payload_offset;
  }

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return {memory.data() + offset, size};
  }

  std::size_t size = 0;
  std::size_t offset = 0;
  FrameMemory memory;
  [[no_unique_address]] reactor::Held<reactor::Asset::kFrame> held;
};

/// Frames too long for a slab, kept under a ticket until JavaScript fetches them. How much may wait
/// is bounded, or a receiver that is busy would be given frames without end.
class LargeFrames {
 public:
  /// Bytes that may wait; a single frame may be longer.
  static constexpr std::size_t kCapacity = 16 * 1024 * 1024;

  // --- the loop's thread -------------------------------------------------------------------------

  /// Whether a frame of so many bytes may be put.
  [[nodiscard]] bool Admits(std::size_t size) noexcept {
    refused_ = Fits(size) ? 0 : size;
    return refused_ == 0;
  }
  /// Keeps a frame that was admitted and returns its ticket. Throws std::bad_alloc.
  std::uint32_t Put(LargeFrame frame);
  /// False after a frame was not admitted and until there is room for it.
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
  std::size_t refused_ = 0;        // bytes of the last frame, if there was no room for it
  std::atomic<std::size_t> waiting_{0};
  std::mutex mutex_;
  std::unordered_map<std::uint32_t, LargeFrame> frames_;  // guarded by mutex_
};

}  // namespace bridge
