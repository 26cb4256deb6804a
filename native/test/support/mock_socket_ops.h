// The mock side of the SocketOps seam: what GEV_SOCKET_OPS_HEADER names in a test or fuzzer build.
// Every call goes to the MockKernel that lives at that moment.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>

#include "test/support/mock_kernel.h"

namespace reactor {

struct SocketOps {
  static test::MockKernel& Kernel() { return test::MockKernel::Current(); }

  static int Socket(int /*family*/) noexcept { return Kernel().Socket(); }
  static int Bind(int fd, const sockaddr* address, socklen_t length) noexcept {
    return Kernel().Bind(fd, address, length);
  }
  static int Listen(int fd, int backlog) noexcept { return Kernel().Listen(fd, backlog); }
  static int Accept(int fd, sockaddr* address, socklen_t* length) noexcept {
    return Kernel().Accept(fd, address, length);
  }
  static int Connect(int fd, const sockaddr* address, socklen_t /*length*/) noexcept {
    return Kernel().Connect(fd, address);
  }
  static ssize_t Receive(int fd, void* buffer, std::size_t size) noexcept {
    return Kernel().Receive(fd, buffer, size);
  }
  static ssize_t Peek(int fd, void* buffer, std::size_t size) noexcept {
    return Kernel().Peek(fd, buffer, size);
  }
  static bool ShortReadsTellTheEnd() noexcept { return true; }
  static ssize_t Send(int fd, const void* data, std::size_t size) noexcept {
    const iovec whole{const_cast<void*>(data), size};
    return Kernel().Send(fd, &whole, 1);
  }
  static ssize_t SendVector(int fd, const iovec* parts, int count) noexcept {
    return Kernel().Send(fd, parts, static_cast<std::size_t>(count));
  }
  static int Unacknowledged(int fd) noexcept { return Kernel().Unacknowledged(fd); }
  static int Shutdown(int fd, int /*how*/) noexcept { return Kernel().Shutdown(fd); }
  static int Close(int fd) noexcept { return Kernel().Close(fd); }
  static int SetOption(int /*fd*/, int /*level*/, int /*name*/, const void* /*value*/,
                       socklen_t /*size*/) noexcept {
    return Kernel().SetOption();
  }
  /// Only SO_ERROR is ever asked for.
  static int GetOption(int fd, int /*level*/, int /*name*/, void* value,
                       socklen_t* /*size*/) noexcept {
    return Kernel().GetError(fd, static_cast<int*>(value));
  }
  static int LocalAddress(int fd, sockaddr* address, socklen_t* length) noexcept {
    return Kernel().LocalAddress(fd, address, length);
  }
  static int RemoteAddress(int fd, sockaddr* address, socklen_t* length) noexcept {
    return Kernel().RemoteAddress(fd, address, length);
  }
  static int OpenSpare() noexcept { return Kernel().OpenSpare(); }
  static int Unlink(const char* /*path*/) noexcept { return Kernel().Unlink(); }
  static int Stat(const char* /*path*/, struct stat* /*status*/) noexcept {
    return Kernel().Stat();
  }
  static int StatLink(const char* /*path*/, struct stat* /*status*/) noexcept {
    return Kernel().Stat();
  }
  static int StatDescriptor(int /*fd*/, struct stat* /*status*/) noexcept {
    return Kernel().Stat();
  }
  static int OpenLock(const char* /*path*/) noexcept { return -EACCES; }
  static int Lock(int /*fd*/) noexcept { return 0; }
  static std::string AbsolutePath(const std::string& path) { return path; }
  static int EpollCreate() noexcept { return Kernel().EpollCreate(); }
  static int EpollControl(int epoll, int operation, int fd, epoll_event* event) noexcept {
    return Kernel().EpollControl(epoll, operation, fd, event);
  }
  static int EpollWait(int epoll, epoll_event* events, int capacity, int timeout_ms) noexcept {
    return Kernel().EpollWait(epoll, events, capacity, timeout_ms);
  }
  static int EventFd() noexcept { return Kernel().EventFd(); }
  static int SignalEventFd(int fd) noexcept { return Kernel().SignalEventFd(fd); }
  static int ClearEventFd(int fd) noexcept { return Kernel().ClearEventFd(fd); }
  static std::uint64_t MonotonicNanoseconds() noexcept { return Kernel().now(); }
};

}  // namespace reactor
