#pragma once

#include <sys/stat.h>

#include <string>

#include "reactor/endpoint.h"

namespace reactor {

/// The name of a listening Unix socket in the file system. Remove() takes away that name only if it
/// still leads to this very socket: a successor may have put its own there. To be called, or
/// destroyed, before the socket closes, after which another file may get its inode number.
/// Movable, not copyable; any thread, one at a time.
class SocketFile {
 public:
  SocketFile() noexcept = default;
  SocketFile(SocketFile&& other) noexcept;
  SocketFile& operator=(SocketFile&& other) noexcept;
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;
  ~SocketFile() { Remove(); }

  /// Binds `fd` to the path and listens. A file that nobody accepts on is replaced. Of several
  /// processes that start at once one wins: `<path>.lock` is locked meanwhile, and then removed.
  /// Throws std::system_error: EADDRINUSE where another one listens or starts.
  static SocketFile Listen(int fd, const Endpoint& endpoint, int backlog);

  void Remove() noexcept;
  /// Leaves the name where it is.
  void Release() noexcept { path_.clear(); }

 private:
  std::string path_;  // absolute: the process may change its folder; empty: nothing to remove
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace reactor
