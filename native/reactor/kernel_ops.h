// The real kernel behind the SocketOps seam: thin wrappers, no state, no policy.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/ioctl.h>
#endif
#if defined(__linux__) && !defined(GEV_POLLER_KQUEUE)
#include <sys/epoll.h>
#include <sys/eventfd.h>
#else
#include <sys/event.h>
#endif

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>

namespace reactor {

/// Every call returns a value >= 0, or -errno. Safe from any thread.
struct KernelOps {
  static int Socket(int family) noexcept {
#ifdef SOCK_NONBLOCK
    return Checked(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
#else
    return Prepared(Checked(::socket(family, SOCK_STREAM, 0)));
#endif
  }
  static int Bind(int fd, const sockaddr* address, socklen_t length) noexcept {
    return Checked(::bind(fd, address, length));
  }
  static int Listen(int fd, int backlog) noexcept { return Checked(::listen(fd, backlog)); }
  static int Accept(int fd, sockaddr* address, socklen_t* length) noexcept {
#ifdef __APPLE__
    return Prepared(Checked(::accept(fd, address, length)));
#else
    return Checked(::accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC));
#endif
  }
  static int Connect(int fd, const sockaddr* address, socklen_t length) noexcept {
    return Checked(::connect(fd, address, length));
  }
  static ssize_t Receive(int fd, void* buffer, std::size_t size) noexcept {
    return Checked(::recv(fd, buffer, size, 0));
  }
  /// As Receive(), and what is there stays there.
  static ssize_t Peek(int fd, void* buffer, std::size_t size) noexcept {
    return Checked(::recv(fd, buffer, size, MSG_PEEK));
  }
  /// Whether a receive call that gives less than was asked for has emptied the stream, as epoll(7)
  /// promises. Not where somebody between this process and its kernel cuts calls short. Found out
  /// once, on a pair of sockets.
  static bool ShortReadsTellTheEnd() noexcept {
    static const bool they_do = ReceivesAllThatIsThere();
    return they_do;
  }
  static ssize_t Send(int fd, const void* data, std::size_t size) noexcept {
    return Checked(::send(fd, data, size, kSendFlags));
  }
  static ssize_t SendVector(int fd, const iovec* parts, int count) noexcept {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts);
    message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(count);
    return Checked(::sendmsg(fd, &message, kSendFlags));
  }
  /// Bytes sent, FIN included, that the peer's system has not acknowledged; of a Unix socket those
  /// that the peer has not read. -EOPNOTSUPP where the system does not tell.
  static int Unacknowledged([[maybe_unused]] int fd) noexcept {
#ifdef __linux__
    int bytes = 0;
    const int result = Checked(::ioctl(fd, TIOCOUTQ, &bytes));
    return result < 0 ? result : bytes;
#else
    return -EOPNOTSUPP;
#endif
  }
  static int Shutdown(int fd, int how) noexcept { return Checked(::shutdown(fd, how)); }
  static int Close(int fd) noexcept { return Checked(::close(fd)); }
  static int SetOption(int fd, int level, int name, const void* value, socklen_t size) noexcept {
    return Checked(::setsockopt(fd, level, name, value, size));
  }
  static int GetOption(int fd, int level, int name, void* value, socklen_t* size) noexcept {
    return Checked(::getsockopt(fd, level, name, value, size));
  }
  static int LocalAddress(int fd, sockaddr* address, socklen_t* length) noexcept {
    return Checked(::getsockname(fd, address, length));
  }
  static int RemoteAddress(int fd, sockaddr* address, socklen_t* length) noexcept {
    return Checked(::getpeername(fd, address, length));
  }
  /// A descriptor that costs nothing, held in reserve for the day the table is full.
  static int OpenSpare() noexcept { return Checked(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }
  static int Unlink(const char* path) noexcept { return Checked(::unlink(path)); }
  static int Stat(const char* path, struct stat* status) noexcept {
    return Checked(::stat(path, status));
  }
  /// As Stat(), of a symbolic link itself.
  static int StatLink(const char* path, struct stat* status) noexcept {
    return Checked(::lstat(path, status));
  }
  static int StatDescriptor(int fd, struct stat* status) noexcept {
    return Checked(::fstat(fd, status));
  }
  /// A file to Lock(), made if need be.
  static int OpenLock(const char* path) noexcept {
    return Checked(::open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR));
  }
  /// Takes the advisory lock of an open file, or fails at once; closing it gives it back.
  static int Lock(int fd) noexcept { return Checked(::flock(fd, LOCK_EX | LOCK_NB)); }
  static std::string AbsolutePath(const std::string& path) {
    std::error_code failed;
    const std::filesystem::path absolute = std::filesystem::absolute(path, failed);
    return failed ? path : absolute.string();
  }

#if defined(__linux__) && !defined(GEV_POLLER_KQUEUE)
  static int EpollCreate() noexcept { return Checked(::epoll_create1(EPOLL_CLOEXEC)); }
  static int EpollControl(int epoll, int operation, int fd, epoll_event* event) noexcept {
    return Checked(::epoll_ctl(epoll, operation, fd, event));
  }
  static int EpollWait(int epoll, epoll_event* events, int capacity, int timeout_ms) noexcept {
    return Checked(::epoll_wait(epoll, events, capacity, timeout_ms));
  }
  static int EventFd() noexcept { return Checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }
  static int SignalEventFd(int fd) noexcept {
    const std::uint64_t one = 1;
    return static_cast<int>(Checked(::write(fd, &one, sizeof one)));
  }
  static int ClearEventFd(int fd) noexcept {
    std::uint64_t count = 0;
    return static_cast<int>(Checked(::read(fd, &count, sizeof count)));
  }
#else
  static int Kqueue() noexcept { return Checked(::kqueue()); }
  static int Kevent(int kqueue, const struct kevent* changes, int change_count,
                    struct kevent* events, int capacity, const timespec* timeout) noexcept {
    return Checked(::kevent(kqueue, changes, change_count, events, capacity, timeout));
  }
#endif

  /// Nanoseconds of a clock that never jumps.
  static std::uint64_t MonotonicNanoseconds() noexcept {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                          std::chrono::steady_clock::now().time_since_epoch())
                                          .count());
  }

 private:
  /// Far more than one message, so that a limit shows, and often, so that chance does.
  static bool ReceivesAllThatIsThere() noexcept {
    constexpr int kTimes = 16;
    constexpr std::size_t kSize = 8 * 1024;
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) return false;
    std::array<char, kSize> bytes{};
    bool all = true;
    for (int time = 0; all && time < kTimes; ++time) {
      // What cuts calls may cut this one: then nobody waits for more.
      const ssize_t sent = ::send(ends[0], bytes.data(), bytes.size(), kSendFlags);
      all = sent == static_cast<ssize_t>(kSize) &&
            ::recv(ends[1], bytes.data(), bytes.size(), 0) == sent;
    }
    ::close(ends[0]);
    ::close(ends[1]);
    return all;
  }

#ifdef MSG_NOSIGNAL
  static constexpr int kSendFlags = MSG_NOSIGNAL;
#else
  static constexpr int kSendFlags = 0;
#endif

  template <typename Result>
  static Result Checked(Result result) noexcept {
    return result < 0 ? static_cast<Result>(-errno) : result;
  }

#if !defined(SOCK_NONBLOCK) || defined(__APPLE__)
  /// Where the kernel cannot do it in one call: non-blocking, close-on-exec, no SIGPIPE.
  static int Prepared(int fd) noexcept {
    if (fd < 0) return fd;
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
#ifdef SO_NOSIGPIPE
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    return fd;
  }
#endif
};

}  // namespace reactor
