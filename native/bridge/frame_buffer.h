#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <span>
#include <utility>

#include "bridge/frame_memory.h"

namespace bridge {

/// Contiguous bytes of frames that are not complete yet. Grows as bytes arrive, owns nothing when
/// empty. Belongs to one connection and so to one loop.
class FrameBuffer {
 public:
  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return {memory_.data() + begin_, size()};
  }

  /// Uninitialised room for `count` bytes behind the content; Commit() makes them part of it.
  std::span<std::byte> Room(std::size_t count) {
    if (memory_.size() - end_ < count) {
      if (memory_.size() - size() >= count && begin_ >= size()) {
        std::memcpy(memory_.data(), memory_.data() + begin_, size());
      } else {
        Grow(std::bit_ceil(size() + count));
      }
      end_ -= std::exchange(begin_, 0);
    }
    return {memory_.data() + end_, count};
  }
  void Commit(std::size_t count) noexcept { end_ += count; }

  void Append(std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    std::memcpy(Room(bytes.size()).data(), bytes.data(), bytes.size());
    Commit(bytes.size());
  }

  void Consume(std::size_t count) noexcept {
    begin_ += count;
    if (begin_ == end_) Clear();
  }

  void Clear() noexcept {
    memory_.Free();
    begin_ = end_ = 0;
  }

 private:
  void Grow(std::size_t capacity) {
    if (begin_ > 0) std::memmove(memory_.data(), memory_.data() + begin_, size());
    memory_.Grow(capacity, size());
  }

  FrameMemory memory_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace bridge
