#include "load/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "load/load_error.h"

namespace gev::load {
namespace {

constexpr int kConnectTimeoutMillis = 5000;

std::system_error SystemError(const char* what) { return {errno, std::generic_category(), what}; }

}  // namespace

Target::Target(const std::string& host, uint16_t port) {
  sockaddr_in v4 = {};
  sockaddr_in6 v6 = {};
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1 &&
      (ntohl(v4.sin_addr.s_addr) >> 24) == IN_LOOPBACKNET) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    length_ = sizeof(v4);
    std::memcpy(&storage_, &v4, sizeof(v4));
  } else if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1 &&
             IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr)) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    length_ = sizeof(v6);
    std::memcpy(&storage_, &v6, sizeof(v6));
  } else {
    throw std::invalid_argument("--host: '" + host + "' is not a loopback address");
  }
}

const sockaddr* Target::Address() const { return reinterpret_cast<const sockaddr*>(&storage_); }

FileDescriptor OpenSocket(const Target& target) {
  FileDescriptor socket(
      ::socket(target.Family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket.IsOpen()) throw SystemError("socket");
  const int on = 1;
  if (::setsockopt(socket.Get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
    throw SystemError("TCP_NODELAY");
  }
  return socket;
}

int StartConnecting(int socket, const Target& target) {
  if (::connect(socket, target.Address(), target.Length()) == 0) return 0;
  return errno == EINPROGRESS ? 0 : errno;
}

FileDescriptor ConnectAndWait(const Target& target) {
  FileDescriptor socket = OpenSocket(target);
  int error = StartConnecting(socket.Get(), target);
  if (error == 0) {
    pollfd waiting = {.fd = socket.Get(), .events = POLLOUT, .revents = 0};
    const int ready = ::poll(&waiting, 1, kConnectTimeoutMillis);
    error = ready == 1 ? TakeSocketError(socket.Get()) : ETIMEDOUT;
  }
  if (error != 0) throw LoadError("cannot connect: " + DescribeErrno(error));
  return socket;
}

int TakeSocketError(int socket) {
  int error = 0;
  socklen_t length = sizeof(error);
  if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

void ResetOnClose(int socket) {
  const linger immediate = {.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &immediate, sizeof(immediate));
}

void RequireDescriptors(uint64_t needed) {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) throw SystemError("RLIMIT_NOFILE");
  if (limit.rlim_cur >= needed) return;
  if (limit.rlim_max < needed) {
    throw LoadError("needs " + std::to_string(needed) + " descriptors, the hard limit is " +
                    std::to_string(limit.rlim_max) + ": raise it (ulimit -Hn)");
  }
  limit.rlim_cur = needed;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) throw SystemError("RLIMIT_NOFILE");
}

FileDescriptor CreateEpoll() {
  FileDescriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.IsOpen()) throw SystemError("epoll_create1");
  return epoll;
}

void Watch(const FileDescriptor& epoll, int socket, uint32_t index) {
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u32 = index;
  if (::epoll_ctl(epoll.Get(), EPOLL_CTL_ADD, socket, &event) != 0) throw SystemError("epoll_ctl");
}

}  // namespace gev::load
