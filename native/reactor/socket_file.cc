#include "reactor/socket_file.h"

#include <cerrno>
#include <utility>

#include "reactor/error.h"
#include "reactor/socket.h"

namespace reactor {
namespace {

bool IsSame(const struct stat& a, const struct stat& b) noexcept {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// An advisory lock on a file that exists only while it is held. One that has content is somebody
/// else's, who gave it the same name: it is locked, and stays.
class FileLock {
 public:
  explicit FileLock(std::string path) : path_(std::move(path)) {
    constexpr int kAttempts = 100;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      FileDescriptor file(SocketOps::OpenLock(path_.c_str()));
      if (!file.valid()) return;  // nor will the socket be made there: bind() says why
      if (SocketOps::Lock(file.get()) < 0) break;
      struct stat locked{};
      struct stat named{};
      // Whoever held it before may have removed it since it was opened: then the lock is worth
      // nothing.
      if (SocketOps::StatDescriptor(file.get(), &locked) == 0 &&
          SocketOps::StatLink(path_.c_str(), &named) == 0 && IsSame(locked, named)) {
        file_ = std::move(file);
        is_ours_ = named.st_size == 0;
        return;
      }
    }
    busy_ = true;
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock() {
    if (is_ours_) SocketOps::Unlink(path_.c_str());
  }

  /// Somebody else holds it.
  [[nodiscard]] bool busy() const noexcept { return busy_; }

 private:
  std::string path_;
  FileDescriptor file_;
  bool is_ours_ = false;
  bool busy_ = false;
};

/// True when `path` is a socket that no living process accepts on.
bool IsStale(const Endpoint& endpoint) noexcept {
  struct stat status{};
  if (SocketOps::Stat(endpoint.host().c_str(), &status) < 0 || !S_ISSOCK(status.st_mode)) {
    return false;
  }
  const FileDescriptor probe(SocketOps::Socket(AF_UNIX));
  return probe.valid() &&
         SocketOps::Connect(probe.get(), endpoint.data(), endpoint.length()) == -ECONNREFUSED;
}

int BindReplacingStale(int fd, const Endpoint& endpoint) noexcept {
  const int result = SocketOps::Bind(fd, endpoint.data(), endpoint.length());
  if (result != -EADDRINUSE || !IsStale(endpoint)) return result;
  SocketOps::Unlink(endpoint.host().c_str());
  return SocketOps::Bind(fd, endpoint.data(), endpoint.length());
}

}  // namespace

SocketFile::SocketFile(SocketFile&& other) noexcept
    : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}

SocketFile& SocketFile::operator=(SocketFile&& other) noexcept {
  if (this == &other) return *this;
  Remove();
  path_ = std::exchange(other.path_, {});
  device_ = other.device_;
  inode_ = other.inode_;
  return *this;
}

SocketFile SocketFile::Listen(int fd, const Endpoint& endpoint, int backlog) {
  const std::string path = endpoint.host();
  const FileLock lock(path + ".lock");
  if (lock.busy()) ThrowSystemError(-EADDRINUSE, "bind");
  ThrowIfFailed(BindReplacingStale(fd, endpoint), "bind");
  struct stat status{};
  SocketFile file;
  if (SocketOps::StatLink(path.c_str(), &status) == 0) {
    file.path_ = SocketOps::AbsolutePath(path);
    file.device_ = status.st_dev;
    file.inode_ = status.st_ino;
  }
  // Still locked: until it listens, it looks like one that nobody accepts on.
  ThrowIfFailed(SocketOps::Listen(fd, backlog), "listen");
  return file;
}

void SocketFile::Remove() noexcept {
  if (path_.empty()) return;
  const std::string path = std::exchange(path_, {});
  struct stat status{};
  if (SocketOps::StatLink(path.c_str(), &status) == 0 && status.st_dev == device_ &&
      status.st_ino == inode_) {
    SocketOps::Unlink(path.c_str());
  }
}

}  // namespace reactor
