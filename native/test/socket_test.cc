#include "reactor/socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <system_error>

#include "test/support/client_socket.h"
#include "test/support/loop_harness.h"
#include "test/support/process.h"

namespace {

using reactor::Endpoint;
using reactor::FileDescriptor;
using reactor::ListenOn;
using test::Loopback;

int ErrorOf(const Endpoint& endpoint, const reactor::ListenOptions& options = {}) {
  try {
    ListenOn(endpoint, options);
    return 0;
  } catch (const std::system_error& error) {
    return error.code().value();
  }
}

int OptionOf(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  EXPECT_EQ(::getsockopt(fd, level, name, &value, &size), 0);
  return value;
}

TEST(SocketTest, ADescriptorClosesWhatItOwns) {
  const std::size_t before = test::CountDescriptors();
  {
    FileDescriptor one(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    FileDescriptor two = std::move(one);
    EXPECT_TRUE(two.valid());
    two = FileDescriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(test::CountDescriptors(), before + 1);
  }
  EXPECT_EQ(test::CountDescriptors(), before);
}

TEST(SocketTest, S3_PortZeroGivesARealPort) {
  const FileDescriptor listener = ListenOn(Loopback(), {});
  const Endpoint address = Endpoint::LocalOf(listener.get());
  EXPECT_EQ(address.host(), "127.0.0.1");
  EXPECT_GT(address.port(), 0);
  EXPECT_EQ(test::ClientSocket(address).connect_error(), 0);
}

TEST(SocketTest, ListenersAreNonBlockingAndCloseOnExec) {
  const FileDescriptor listener = ListenOn(Loopback(), {});
  EXPECT_NE(::fcntl(listener.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(listener.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(SocketTest, S1_APortInUseIsAnError) {
  const FileDescriptor listener = ListenOn(Loopback(), {});
  EXPECT_EQ(ErrorOf(Endpoint::LocalOf(listener.get())), EADDRINUSE);
}

TEST(SocketTest, S1_AnAddressOfSomebodyElseIsAnError) {
  EXPECT_EQ(ErrorOf(Endpoint::FromAddress("192.0.2.1", 0)), EADDRNOTAVAIL);
}

TEST(SocketTest, S1_AMissingFolderIsAnError) {
  EXPECT_EQ(ErrorOf(Endpoint::FromPath("/no/such/folder/gev.sock")), ENOENT);
}

TEST(SocketTest, S1_NoPermissionIsAnError) {
  const test::TemporaryFolder folder;
  const Endpoint endpoint = Endpoint::FromPath(folder.File("gev.sock"));
  ASSERT_EQ(::chmod(folder.File("").c_str(), 0500), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(1);  // root may do everything
    ::_exit(ErrorOf(endpoint) == EACCES ? 0 : 2);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ::chmod(folder.File("").c_str(), 0700);
}

TEST(SocketTest, S1_AThousandFailedListensLeaveNothingOpen) {
  const test::TemporaryFolder folder;
  std::ofstream(folder.File("a-plain-file")) << "not a socket";
  const FileDescriptor listener = ListenOn(Loopback(), {});
  const FileDescriptor unix_listener = ListenOn(Endpoint::FromPath(folder.File("live")), {});
  const Endpoint failing[] = {
      Endpoint::LocalOf(listener.get()),
      Endpoint::FromAddress("192.0.2.1", 0),
      Endpoint::FromPath(folder.File("live")),
      Endpoint::FromPath(folder.File("a-plain-file")),
      Endpoint::FromPath("/no/such/folder/gev.sock"),
  };
  const std::size_t before = test::CountDescriptors();
  for (int i = 0; i < 1000; ++i) EXPECT_NE(ErrorOf(failing[i % 5]), 0);
  EXPECT_EQ(test::CountDescriptors(), before);
}

TEST(SocketTest, S2_AStaleSocketFileIsReplaced) {
  const test::TemporaryFolder folder;
  const Endpoint endpoint = Endpoint::FromPath(folder.File("gev.sock"));
  {
    const FileDescriptor dead = ListenOn(endpoint, {});
  }  // closed, and the file stays
  const FileDescriptor listener = ListenOn(endpoint, {});
  EXPECT_EQ(test::ClientSocket(endpoint).connect_error(), 0);
}

TEST(SocketTest, S2_ALiveSocketFileIsAnErrorAndStaysAlive) {
  const test::TemporaryFolder folder;
  const Endpoint endpoint = Endpoint::FromPath(folder.File("gev.sock"));
  const FileDescriptor live = ListenOn(endpoint, {});
  EXPECT_EQ(ErrorOf(endpoint), EADDRINUSE);
  EXPECT_EQ(test::ClientSocket(endpoint).connect_error(), 0);
}

TEST(SocketTest, S2_AFileThatIsNoSocketIsNeverReplaced) {
  const test::TemporaryFolder folder;
  const std::string path = folder.File("precious");
  std::ofstream(path) << "data";
  EXPECT_EQ(ErrorOf(Endpoint::FromPath(path)), EADDRINUSE);
  std::string content;
  std::ifstream(path) >> content;
  EXPECT_EQ(content, "data");
}

TEST(SocketTest, S2_DualStackTakesIPv4ClientsAndIPv6OnlyDoesNot) {
  if (ErrorOf(Endpoint::FromAddress("::", 0)) != 0) GTEST_SKIP() << "no IPv6 here";
  for (const bool ipv6_only : {false, true}) {
    const FileDescriptor listener =
        ListenOn(Endpoint::FromAddress("::", 0), {.ipv6_only = ipv6_only});
    const std::uint16_t port = Endpoint::LocalOf(listener.get()).port();
    EXPECT_EQ(test::ClientSocket(Loopback(port)).connect_error() == 0, !ipv6_only);
    EXPECT_EQ(test::ClientSocket(Endpoint::FromAddress("::1", port)).connect_error(), 0);
  }
}

TEST(SocketTest, S5_ReusePortLetsTwoListenersShareAPort) {
  const FileDescriptor one = ListenOn(Loopback(), {.reuse_port = true});
  const Endpoint address = Endpoint::LocalOf(one.get());
  EXPECT_EQ(ErrorOf(address, {.reuse_port = true}), 0);
  EXPECT_EQ(ErrorOf(address), EADDRINUSE);
}

TEST(SocketTest, W7_K1_AppliesTheOptionsOfAStream) {
  const FileDescriptor socket(reactor::SocketOps::Socket(AF_INET));
  reactor::ApplyOptions(socket.get(), AF_INET,
                        {.keep_alive = {.delay = 33, .interval = 11, .count = 4},
                         .user_timeout = 77'000,
                         .receive_buffer = 20'000,
                         .send_buffer = 30'000});
  EXPECT_NE(OptionOf(socket.get(), IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_NE(OptionOf(socket.get(), SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_GE(OptionOf(socket.get(), SOL_SOCKET, SO_RCVBUF), 20'000);
  EXPECT_GE(OptionOf(socket.get(), SOL_SOCKET, SO_SNDBUF), 30'000);
#ifdef TCP_KEEPIDLE
  EXPECT_EQ(OptionOf(socket.get(), IPPROTO_TCP, TCP_KEEPIDLE), 33);
#endif
  EXPECT_EQ(OptionOf(socket.get(), IPPROTO_TCP, TCP_KEEPINTVL), 11);
  EXPECT_EQ(OptionOf(socket.get(), IPPROTO_TCP, TCP_KEEPCNT), 4);
#ifdef TCP_USER_TIMEOUT
  EXPECT_EQ(OptionOf(socket.get(), IPPROTO_TCP, TCP_USER_TIMEOUT), 77'000);
#endif
}

TEST(SocketTest, W7_LeavesDelayAndKeepAliveOffWhenAskedTo) {
  const FileDescriptor socket(reactor::SocketOps::Socket(AF_INET));
  reactor::ApplyOptions(socket.get(), AF_INET, {.no_delay = false});
  EXPECT_EQ(OptionOf(socket.get(), IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_EQ(OptionOf(socket.get(), SOL_SOCKET, SO_KEEPALIVE), 0);
}

}  // namespace
