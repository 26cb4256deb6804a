#pragma once

#include <utility>

#include "reactor/endpoint.h"
#include "reactor/ledger.h"
#include "reactor/socket_ops.h"

namespace reactor {

class SocketFile;

/// Owns one descriptor and closes it. Movable, not copyable; any thread, one at a time.
class FileDescriptor {
 public:
  FileDescriptor() noexcept = default;
  explicit FileDescriptor(int fd) noexcept : fd_(fd) {
    if (valid()) Ledger::Add(Asset::kDescriptor, 1);
  }
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      Reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() { Reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int Release() noexcept {
    if (valid()) Ledger::Add(Asset::kDescriptor, -1);
    return std::exchange(fd_, -1);
  }
  void Reset() noexcept {
    if (valid()) SocketOps::Close(Release());
  }

 private:
  int fd_ = -1;
};

/// Probes of a silent peer; in seconds, as kernels have it.
struct KeepAlive {
  int delay = 0;  // of silence before the first probe; 0: no probes
  int interval = 1;
  int count = 1;  // probes without an answer that end the connection
};

/// Options of accepted and dialled stream sockets. Sizes in bytes; 0 leaves the kernel's own.
struct SocketOptions {
  bool no_delay = true;
  KeepAlive keep_alive = {};
  int user_timeout =
      0;  // ms that sent data may stay unacknowledged; 0: as long as the kernel tries
  int receive_buffer = 0;
  int send_buffer = 0;
};

/// Applies what makes sense for the family; failures are not fatal and are ignored.
void ApplyOptions(int fd, sa_family_t family, const SocketOptions& options) noexcept;

struct ListenOptions {
  int backlog = 4096;
  bool reuse_port = false;
  bool ipv6_only = false;
  int receive_buffer = 0;  // connections inherit it; set later it comes after their first window
};

/// From now on other sockets may listen on the port of this one, which was bound for itself alone:
/// how the listeners of one group share a port that nobody else had. Returns 0 or -errno.
int AllowSharing(int listener) noexcept;

/// A bound, listening, non-blocking socket; of a Unix socket, `file` becomes its name
/// (null: the name stays). Throws
/// std::system_error with the system call's errno; leaks nothing on the way.
FileDescriptor ListenOn(const Endpoint& endpoint, const ListenOptions& options,
                        SocketFile* file = nullptr);

}  // namespace reactor
