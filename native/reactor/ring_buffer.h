#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include "reactor/ring_memory.h"

namespace reactor {

/// Growable byte queue over one circular allocation. Empty it owns no memory; it doubles when
/// full (amortised O(1) per byte) and gives the memory back as a burst drains.
/// Not thread-safe: belongs to one connection and so to one loop.
class RingBuffer {
 public:
  /// Takes its memory from there, which must outlive it. Only while it is empty; null: the heap.
  void UseMemory(RingMemory* memory) noexcept { memory_ = memory; }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  /// Bytes allocated.
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

  /// Copies `bytes` to the end. They must not point into this buffer. Throws std::bad_alloc, and
  /// is as before then.
  void Append(std::span<const std::byte> bytes);

  /// The content in order, as at most two spans; valid until the next change.
  [[nodiscard]] std::array<std::span<const std::byte>, 2> Peek() const noexcept;

  /// Drops `count` (<= size()) bytes from the front.
  void Consume(std::size_t count) noexcept;

  /// Drops everything and frees the memory.
  void Clear() noexcept;

 private:
  static constexpr std::size_t kMinimumCapacity = 4096;

  void Reallocate(std::size_t capacity);
  bool Shrink(std::size_t capacity) noexcept;
  void Release() noexcept;

  std::size_t size_ = 0;      // first: all that is looked at while it is empty
  std::size_t head_ = 0;      // index of the first byte
  std::size_t capacity_ = 0;  // a power of two, or 0
  RingMemory::Block data_;
  RingMemory* memory_ = nullptr;
};

}  // namespace reactor
