#include "reactor/ring_buffer.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace reactor {

void RingBuffer::Append(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  if (size_ + bytes.size() > capacity_) {
    Reallocate(std::max(kMinimumCapacity, std::bit_ceil(size_ + bytes.size())));
  }
  const std::size_t tail = (head_ + size_) & (capacity_ - 1);
  const std::size_t first = std::min(bytes.size(), capacity_ - tail);
  std::memcpy(data_.get() + tail, bytes.data(), first);
  if (first < bytes.size()) {
    std::memcpy(data_.get(), bytes.data() + first, bytes.size() - first);
  }
  size_ += bytes.size();
}

std::array<std::span<const std::byte>, 2> RingBuffer::Peek() const noexcept {
  const std::size_t first = std::min(size_, capacity_ - head_);
  return {std::span(data_.get() + head_, first), std::span(data_.get(), size_ - first)};
}

void RingBuffer::Consume(std::size_t count) noexcept {
  size_ -= count;
  if (size_ == 0) {
    Clear();
    return;
  }
  head_ = (head_ + count) & (capacity_ - 1);
  // An eighth full: a quarter of the size leaves room to grow, so shrinking is amortised O(1) too.
  if (capacity_ > kMinimumCapacity && size_ <= capacity_ / 8) {
    Shrink(std::max(kMinimumCapacity, capacity_ / 4));
  }
}

// Without memory what there is does as well, until the next call.
bool RingBuffer::Shrink(std::size_t capacity) noexcept {
  try {
    Reallocate(capacity);
  } catch (const std::bad_alloc&) {
    return false;
  }
  return true;
}

void RingBuffer::Clear() noexcept {
  Release();
  capacity_ = head_ = size_ = 0;
}

void RingBuffer::Reallocate(std::size_t capacity) {
  RingMemory::Block data = memory_ != nullptr
                               ? memory_->Take(capacity)
                               : std::make_unique_for_overwrite<std::byte[]>(capacity);
  std::size_t offset = 0;
  for (const auto part : Peek()) {
    if (part.empty()) continue;
    std::memcpy(data.get() + offset, part.data(), part.size());
    offset += part.size();
  }
  Release();
  data_ = std::move(data);
  capacity_ = capacity;
  head_ = 0;
}

void RingBuffer::Release() noexcept {
  if (memory_ != nullptr && data_) memory_->Give(std::move(data_), capacity_);
  data_.reset();
}

}  // namespace reactor
