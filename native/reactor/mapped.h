#pragma once

#include <memory>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace reactor {

/// Gives the memory of what MakeMapped() made back to the system.
struct MappedDeleter {
  template <typename T>
  void operator()(T* object) const noexcept {
    object->~T();
#ifdef __linux__
    ::munmap(object, sizeof(T));
#else
    ::operator delete(object, std::align_val_t(alignof(T)));
#endif
  }
};

template <typename T>
using Mapped = std::unique_ptr<T, MappedDeleter>;

/// Large, and to be gone with its memory: on Linux it is a mapping of its own, where a hole in the
/// heap would stay with the process. Throws std::bad_alloc.
template <typename T>
Mapped<T> MakeMapped() {
#ifdef __linux__
  void* const memory =
      ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
#else
  void* const memory = ::operator new(sizeof(T), std::align_val_t(alignof(T)));
#endif
  return Mapped<T>(::new (memory) T());
}

}  // namespace reactor
