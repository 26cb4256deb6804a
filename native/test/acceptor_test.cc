#include "reactor/acceptor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cerrno>
#include <string>
#include <vector>

#include "test/support/client_socket.h"
#include "test/support/loop_harness.h"
#include "test/support/process.h"

namespace {

using reactor::FileDescriptor;
using test::ClientSocket;
using test::EndOfStream;
using test::LoopHarness;

/// Leaves this process room for `free` more descriptors.
class DescriptorLimit {
 public:
  explicit DescriptorLimit(std::size_t free) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    // Fill the gaps, so that the limit (a number) is a count.
    for (;;) {
      FileDescriptor filler(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      const auto number = static_cast<rlim_t>(filler.get());
      const bool last = test::CountDescriptors() <= number + 1;
      fillers_.push_back(std::move(filler));
      if (!last) continue;
      rlimit limit = before_;
      limit.rlim_cur = number + 1 + free;
      ::setrlimit(RLIMIT_NOFILE, &limit);
      return;
    }
  }
  ~DescriptorLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;

 private:
  rlimit before_{};
  std::vector<FileDescriptor> fillers_;
};

TEST(AcceptorTest, AcceptsABurstOverSeveralTurns) {
  LoopHarness harness;
  std::vector<ClientSocket> clients;
  for (int i = 0; i < 300; ++i) clients.emplace_back(harness.address);
  harness.loop.Turn(0);
  EXPECT_LE(harness.handler.opened(), 128) << "the budget of one turn";
  EXPECT_TRUE(harness.loop.HasWork());
  EXPECT_TRUE(harness.TurnUntil([&] { return harness.handler.opened() == 300; }));
}

TEST(AcceptorTest, AcceptsWhoConnectedBeforeItWasRegistered) {
  test::RecordingHandler handler;
  reactor::EventLoop loop({}, handler);
  auto listener = reactor::ListenOn(test::Loopback(), {});
  const ClientSocket early(reactor::Endpoint::LocalOf(listener.get()));
  loop.Listen(std::move(listener), [&](FileDescriptor socket, const reactor::Endpoint& remote) {
    loop.Adopt({.socket = std::move(socket), .remote = remote});
  });
  for (int i = 0; i < 3; ++i) loop.Turn(0);
  EXPECT_EQ(handler.opened(), 1);
}

TEST(AcceptorTest, AcceptedSocketsAreNonBlockingCloseOnExecAndUndelayed) {
  LoopHarness harness;
  const ClientSocket client = harness.Connect();
  const int fd = harness.newest().fd();
  EXPECT_NE(::fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
}

TEST(AcceptorTest, S9_WithoutDescriptorsClientsAreHungUpOnAndTheOthersGoOn) {
  LoopHarness harness;
  harness.handler.echo = true;
  const ClientSocket old = harness.Connect();
  std::vector<ClientSocket> clients;
  for (int i = 0; i < 20; ++i) clients.emplace_back(harness.address);
  {
    const DescriptorLimit limit(3);
    ASSERT_TRUE(harness.TurnUntil(
        [&] { return harness.loop.refused(reactor::Refusal::kDescriptors) == 17; }));
    EXPECT_EQ(harness.handler.opened(), 4);
    old.Write("still here?");
    EXPECT_TRUE(harness.TurnUntil([&] {
      return harness.newest().state() == reactor::Connection::State::kOpen &&
             harness.handler.received() == 11;
    }));
    EXPECT_EQ(old.Read(11), "still here?");
    ASSERT_EQ(harness.handler.failures().size(), 1U) << "at most one a second";
    EXPECT_EQ(harness.handler.failures()[0].second, EMFILE);
  }
  std::size_t hung_up = 0;
  for (const ClientSocket& client : clients) {
    bool ended = false;
    (void)client.ReadAvailable(1, ended);
    if (ended) ++hung_up;
  }
  EXPECT_EQ(hung_up, 17U);
  const ClientSocket late = harness.Connect();
}

TEST(AcceptorTest, S9_ALoopWithoutDescriptorsSleeps) {
  LoopHarness harness;
  harness.loop.Turn(0);  // the sanitizer needs descriptors to look at a vtable for the first time
  std::vector<ClientSocket> clients;
  for (int i = 0; i < 5; ++i) clients.emplace_back(harness.address);
  const DescriptorLimit limit(0);
  // A slow machine may reach the next try within a turn, so that there is work once more.
  EXPECT_TRUE(harness.TurnUntil([&] {
    return harness.loop.refused(reactor::Refusal::kDescriptors) > 0 && !harness.loop.HasWork();
  }));
  EXPECT_TRUE(harness.loop.NextDeadline()) << "it tries again by itself";
}

}  // namespace
