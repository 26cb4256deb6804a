#include "reactor/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>

#include "reactor/error.h"
#include "reactor/socket_file.h"

namespace reactor {
namespace {

int SetInt(int fd, int level, int name, int value) noexcept {
  return SocketOps::SetOption(fd, level, name, &value, sizeof value);
}

void SetKeepAlive(int fd, const KeepAlive& options) noexcept {
  SetInt(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
#ifdef TCP_KEEPIDLE
  SetInt(fd, IPPROTO_TCP, TCP_KEEPIDLE, options.delay);
#else
  SetInt(fd, IPPROTO_TCP, TCP_KEEPALIVE, options.delay);  // macOS
#endif
  SetInt(fd, IPPROTO_TCP, TCP_KEEPINTVL, options.interval);
  SetInt(fd, IPPROTO_TCP, TCP_KEEPCNT, options.count);
}

void SetUserTimeout(int fd, int milliseconds) noexcept {
#if defined(TCP_USER_TIMEOUT)
  SetInt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, milliseconds);
#else
  [[maybe_unused]] const int seconds = milliseconds / 1000 + (milliseconds % 1000 != 0 ? 1 : 0);
#if defined(TCP_RXT_CONNDROPTIME)  // macOS
  SetInt(fd, IPPROTO_TCP, TCP_RXT_CONNDROPTIME, seconds);
#elif defined(TCP_MAXUNACKTIME)    // FreeBSD
  SetInt(fd, IPPROTO_TCP, TCP_MAXUNACKTIME, seconds);
#endif
#endif
}

}  // namespace

void ApplyOptions(int fd, sa_family_t family, const SocketOptions& options) noexcept {
  if (options.receive_buffer > 0) SetInt(fd, SOL_SOCKET, SO_RCVBUF, options.receive_buffer);
  if (options.send_buffer > 0) SetInt(fd, SOL_SOCKET, SO_SNDBUF, options.send_buffer);
  if (family == AF_UNIX) return;
  if (options.no_delay) SetInt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (options.keep_alive.delay > 0) SetKeepAlive(fd, options.keep_alive);
  if (options.user_timeout > 0) SetUserTimeout(fd, options.user_timeout);
}

int AllowSharing(int listener) noexcept { return SetInt(listener, SOL_SOCKET, SO_REUSEPORT, 1); }

FileDescriptor ListenOn(const Endpoint& endpoint, const ListenOptions& options, SocketFile* file) {
  FileDescriptor socket(ThrowIfFailed(SocketOps::Socket(endpoint.family()), "socket"));
  const int fd = socket.get();
  if (!endpoint.is_unix()) {
    ThrowIfFailed(SetInt(fd, SOL_SOCKET, SO_REUSEADDR, 1), "setsockopt(SO_REUSEADDR)");
    if (options.reuse_port) ThrowIfFailed(AllowSharing(fd), "setsockopt(SO_REUSEPORT)");
  }
  if (endpoint.family() == AF_INET6) {
    ThrowIfFailed(SetInt(fd, IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6_only ? 1 : 0),
                  "setsockopt(IPV6_V6ONLY)");
  }
  if (options.receive_buffer > 0) SetInt(fd, SOL_SOCKET, SO_RCVBUF, options.receive_buffer);
  if (endpoint.is_unix()) {
    SocketFile made = SocketFile::Listen(fd, endpoint, options.backlog);
    if (file != nullptr) {
      *file = std::move(made);
    } else {
      made.Release();
    }
    return socket;
  }
  ThrowIfFailed(SocketOps::Bind(fd, endpoint.data(), endpoint.length()), "bind");
  ThrowIfFailed(SocketOps::Listen(fd, options.backlog), "listen");
  return socket;
}

}  // namespace reactor
