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
///
/// `wanted`: how many bytes the content is to have, as its peer claims; 0: unknown. They find room
/// without another growth, up to kBelief times the bytes there are, since a claim costs nothing.
class FrameBuffer {
 public:
  static constexpr std::size_t kBelief = 8;

  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return memory_.size(); }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return {memory_.data() + begin_, size()};
  }

  /// Uninitialised room for `count` bytes behind the content; Commit() makes them part of it.
  std::span<std::byte> Room(std::size_t count, std::size_t wanted = 0) {
    if (memory_.size() - end_ < count) {
      const std::size_t needed = size() + count;
      if (memory_.size() >= needed && begin_ >= size()) {
        std::memcpy(memory_.data(), memory_.data() + begin_, size());
      } else {
        Grow(std::bit_ceil(std::max(needed, std::min(wanted, kBelief * needed))));
      }
      end_ -= std::exchange(begin_, 0);
    }
    return {memory_.data() + end_, count};
  }
  void Commit(std::size_t count) noexcept { end_ += count; }

  void Append(std::span<const std::byte> bytes, std::size_t wanted = 0) {
    if (bytes.empty()) return;
    std::memcpy(Room(bytes.size(), wanted).data(), bytes.data(), bytes.size());
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

  /// Takes `count` bytes from the front and with them the memory; what lies behind is copied to
  /// memory of its own. `offset`: where the bytes begin in that memory.
  FrameMemory TakeFront(std::size_t count, std::size_t& offset) {
    offset = begin_;
    const std::span<const std::byte> rest = bytes().subspan(count);
    FrameMemory memory = std::move(memory_);
    begin_ = end_ = 0;
    Append(rest);
    return memory;
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
