#include "test/support/client_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace test {
namespace {

#ifdef MSG_NOSIGNAL
constexpr int kSendFlags = MSG_NOSIGNAL;
#else
constexpr int kSendFlags = 0;
#endif

}  // namespace

ClientSocket::ClientSocket(const reactor::Endpoint& server, int receive_buffer)
    : fd_(::socket(server.family(), SOCK_STREAM, 0)) {
  EXPECT_GE(fd_, 0);
  ::fcntl(fd_, F_SETFD, FD_CLOEXEC);
  const timeval patience{kDeadline.count(), 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
#ifdef SO_NOSIGPIPE
  const int on = 1;
  ::setsockopt(fd_, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
  if (receive_buffer > 0) {
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  }
  if (::connect(fd_, server.data(), server.length()) < 0) connect_error_ = errno;
}

ClientSocket::ClientSocket(ClientSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), connect_error_(other.connect_error_) {}

ClientSocket& ClientSocket::operator=(ClientSocket&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(connect_error_, other.connect_error_);
  return *this;
}

bool ClientSocket::Write(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), kSendFlags);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

void ClientSocket::WriteAvailable(std::string_view bytes) const {
  (void)::send(fd_, bytes.data(), bytes.size(), kSendFlags | MSG_DONTWAIT);
}

std::string ClientSocket::Read(std::size_t count) const {
  std::string bytes(count, '\0');
  std::size_t got = 0;
  while (got < count) {
    const ssize_t result = ::recv(fd_, bytes.data() + got, count - got, 0);
    if (result < 0 && errno == EINTR) continue;
    if (result <= 0) break;
    got += static_cast<std::size_t>(result);
  }
  bytes.resize(got);
  return bytes;
}

EndOfStream ClientSocket::ReadToEnd(std::string& bytes) const {
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t result = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (result > 0) {
      bytes.append(buffer.data(), static_cast<std::size_t>(result));
    } else if (result == 0) {
      return EndOfStream::kFin;
    } else if (errno != EINTR) {
      return errno == EAGAIN ? EndOfStream::kTimeout : EndOfStream::kReset;
    }
  }
}

std::string ClientSocket::ReadAvailable(std::size_t limit, bool& ended) const {
  std::string bytes(limit, '\0');
  const ssize_t result = ::recv(fd_, bytes.data(), limit, MSG_DONTWAIT);
  ended = result == 0 || (result < 0 && errno != EAGAIN && errno != EINTR);
  bytes.resize(result > 0 ? static_cast<std::size_t>(result) : 0);
  return bytes;
}

void ClientSocket::ShutdownWrite() const { EXPECT_EQ(::shutdown(fd_, SHUT_WR), 0); }

void ClientSocket::Reset() {
  const linger hard{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  Close();
}

void ClientSocket::Close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace test
