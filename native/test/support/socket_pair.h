#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <utility>

#include "reactor/socket.h"

namespace test {

/// Two connected, non-blocking Unix stream sockets.
inline std::pair<reactor::FileDescriptor, reactor::FileDescriptor> MakeSocketPair() {
  std::array<int, 2> pair{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()), 0);
  for (const int fd : pair) {
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  }
  return {reactor::FileDescriptor(pair[0]), reactor::FileDescriptor(pair[1])};
}

}  // namespace test
