#include "load/connection_socket.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "load/load_error.h"

namespace gev::load {

ConnectionSocket::ConnectionSocket(FileDescriptor socket, uint32_t number)
    : socket_(std::move(socket)), number_(number) {}

size_t ConnectionSocket::Send(const char* bytes, size_t length) const {
  for (;;) {
    const ssize_t count = ::send(socket_.Get(), bytes, length, MSG_NOSIGNAL);
    if (count >= 0) return static_cast<size_t>(count);
    if (errno == EAGAIN) return 0;
    if (errno != EINTR) Fail("cannot send: " + DescribeErrno(errno));
  }
}

size_t ConnectionSocket::Receive(std::span<char> room) const {
  for (;;) {
    const ssize_t count = ::recv(socket_.Get(), room.data(), room.size(), 0);
    if (count > 0) return static_cast<size_t>(count);
    if (count == 0) Fail("closed by the server");
    if (errno == EAGAIN) return 0;
    if (errno != EINTR) Fail("cannot receive: " + DescribeErrno(errno));
  }
}

void ConnectionSocket::Fail(const std::string& what) const {
  throw LoadError("connection " + std::to_string(number_) + ": " + what);
}

}  // namespace gev::load
