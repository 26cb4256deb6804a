#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <utility>

namespace bridge {

/// Contiguous bytes of frames that are not complete yet. Grows as bytes arrive, in place where the
/// allocator can, so that a thousand that grow leave no holes; owns nothing when empty. Belongs to
/// one connection and so to one loop.
class FrameBuffer {
 public:
  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return {data_.get() + begin_, size()};
  }

  /// Uninitialised room for `count` bytes behind the content; Commit() makes them part of it.
  std::span<std::byte> Room(std::size_t count) {
    if (capacity_ - end_ < count) {
      if (capacity_ - size() >= count && begin_ >= size()) {
        std::memcpy(data_.get(), data_.get() + begin_, size());
      } else {
        Grow(std::bit_ceil(size() + count));
      }
      end_ -= std::exchange(begin_, 0);
    }
    return {data_.get() + end_, count};
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
    data_.reset();
    capacity_ = begin_ = end_ = 0;
  }

 private:
  struct Free {
    void operator()(std::byte* data) const noexcept { std::free(data); }
  };

  void Grow(std::size_t capacity) {
    if (begin_ > 0) std::memmove(data_.get(), data_.get() + begin_, size());
    auto* const data = static_cast<std::byte*>(std::realloc(data_.get(), capacity));
    if (data == nullptr) throw std::bad_alloc();
    (void)data_.release();  // realloc has freed or moved it
    data_.reset(data);
    capacity_ = capacity;
  }

  std::unique_ptr<std::byte[], Free> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace bridge
