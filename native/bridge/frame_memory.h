#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace bridge {

/// The memory of one FrameBuffer: uninitialised bytes that can grow and keep what they hold. On
/// Linux large ones are mappings of their own. A thousand that grow side by side would leave as
/// many holes in the heap, which the process keeps; a mapping grows without a copy, takes what is
/// written to it and no more, and is gone when it is freed.
class FrameMemory {
 public:
  FrameMemory() = default;
  FrameMemory(const FrameMemory&) = delete;
  FrameMemory& operator=(const FrameMemory&) = delete;
  FrameMemory(FrameMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  FrameMemory& operator=(FrameMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~FrameMemory() { Free(); }

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// `size`: not below size(). The first `used` bytes stay. Throws std::bad_alloc.
  void Grow(std::size_t size, std::size_t used) {
    data_ = IsMapped(size) ? GrowMapping(size, used) : GrowOnHeap(size);
    size_ = size;
  }

  void Free() noexcept {
    if (IsMapped(size_)) {
      Unmap();
    } else {
      std::free(data_);
    }
    data_ = nullptr;
    size_ = 0;
  }

 private:
  std::byte* GrowOnHeap(std::size_t size) {
    auto* const data = static_cast<std::byte*>(std::realloc(data_, size));
    if (data == nullptr) throw std::bad_alloc();
    return data;
  }

#ifdef __linux__
  // Below it a mapping's page faults cost more than the heap does.
  static constexpr std::size_t kSmallestMapping = 128 * 1024;

  static bool IsMapped(std::size_t size) noexcept { return size >= kSmallestMapping; }

  std::byte* GrowMapping(std::size_t size, std::size_t used) {
    void* data = nullptr;
    if (IsMapped(size_)) {
      data = ::mremap(data_, size_, size, MREMAP_MAYMOVE);
    } else {
      data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    if (data == MAP_FAILED) throw std::bad_alloc();
    if (!IsMapped(size_) && data_ != nullptr) {
      std::memcpy(data, data_, used);
      std::free(data_);
    }
    return static_cast<std::byte*>(data);
  }

  void Unmap() noexcept { ::munmap(data_, size_); }
#else
  static bool IsMapped(std::size_t /*size*/) noexcept { return false; }
  std::byte* GrowMapping(std::size_t size, std::size_t /*used*/) { return GrowOnHeap(size); }
  void Unmap() noexcept {}
#endif

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace bridge
