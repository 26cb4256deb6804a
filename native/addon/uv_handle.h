#pragma once

#include <cstddef>
#include <memory>

#include "addon/uv_min.h"

namespace addon {

class Environment;

/// Owns the memory of one libuv handle. libuv lets go of it later than we do: Close() hands the
/// memory to the close callback. JavaScript's thread.
class UvHandle {
 public:
  UvHandle(Environment& environment, int type, void* data);
  UvHandle(const UvHandle&) = delete;
  UvHandle& operator=(const UvHandle&) = delete;
  /// Closes a handle that is still open.
  ~UvHandle() { Close(); }

  /// To be called after the libuv init function succeeded: only then may libuv close it.
  void MarkOpen() noexcept;
  void Close() noexcept;
  /// Whether the handle alone keeps the process alive; at first it does. Of an open handle.
  void Hold(bool hold) noexcept;

  template <typename Handle>
  [[nodiscard]] Handle* As() noexcept {
    return reinterpret_cast<Handle*>(memory_.get());
  }

 private:
  Environment& environment_;
  void* data_;
  std::unique_ptr<std::byte[]> memory_;
  bool open_ = false;
};

}  // namespace addon
