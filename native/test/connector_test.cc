#include "reactor/connector.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reactor/loop_group.h"
#include "test/support/client_socket.h"
#include "test/support/loop_harness.h"
#include "test/support/process.h"

namespace {

using reactor::CloseReason;
using reactor::Connection;
using reactor::DialToken;
using reactor::Endpoint;
using reactor::FileDescriptor;
using reactor::FromMilliseconds;
using test::ClientSocket;
using test::ConnectionRecord;
using test::DialFailure;
using test::Loopback;
using test::LoopHarness;
using test::RecordingHandler;
using test::SendText;

constexpr reactor::Nanoseconds kLong = FromMilliseconds(20'000);

using Failures = std::vector<DialFailure>;

/// An address of the loopback at which nobody listens.
Endpoint NobodyThere() { return Endpoint::LocalOf(reactor::ListenOn(Loopback(), {}).get()); }

/// A listener that accepts nobody and lets no more than a few wait: soon a dial hears nothing.
class DeafListener {
 public:
  DeafListener() : listener_(reactor::ListenOn(Loopback(), {.backlog = 1})) {}
  [[nodiscard]] Endpoint address() const { return Endpoint::LocalOf(listener_.get()); }

 private:
  FileDescriptor listener_;
};

/// A loop that only dials, turned by the test's own thread, and an echoing one to dial.
class ConnectorTest : public testing::Test {
 protected:
  ConnectorTest() { server.handler.echo = true; }

  void Dial(DialToken token, const Endpoint& remote, reactor::Nanoseconds timeout = kLong) {
    loop->connector().Dial(token, remote, timeout);
  }
  template <typename Condition>
  [[nodiscard]] bool TurnUntil(Condition&& condition) {
    return server.TurnUntil([&] {
      loop->Turn(0);
      return condition();
    });
  }
  /// Turns until each of so many dials has had its outcome.
  [[nodiscard]] bool TurnUntilOutcomes(std::size_t count) {
    return TurnUntil([&] {
      return static_cast<std::size_t>(handler.opened()) + handler.failed_dials().size() >= count;
    });
  }
  void Settle() {
    for (int i = 0; i < 20; ++i) {
      loop->Turn(1);
      server.loop.Turn(0);
    }
  }
  Connection& newest() {
    const ConnectionRecord record = handler.records().back();
    return *loop->Find(record.slot, record.generation);
  }
  /// One that gets no answer, under the token 1; whoever came before it fills the backlog.
  void DialUnanswered(const Endpoint& deaf) {
    for (DialToken token = 100; token < 110; ++token) Dial(token, deaf);
    Settle();
    Dial(1, deaf);
    Settle();
    ASSERT_LT(handler.opened(), 10) << "the backlog is full";
    ASSERT_EQ(handler.failed_dials(), Failures{});
  }

  LoopHarness server;
  RecordingHandler handler;
  std::optional<reactor::EventLoop> loop{std::in_place, reactor::LoopOptions{}, handler};
};

TEST_F(ConnectorTest, ADialBecomesAConnectionThatCarriesItsToken) {
  Dial(7, server.address);
  ASSERT_TRUE(TurnUntil([&] { return handler.opened() == 1; }));
  EXPECT_EQ(handler.record(0).dial, 7U);
  EXPECT_EQ(handler.record(0).remote_port, server.address.port());
  SendText(newest(), "ping");
  EXPECT_TRUE(TurnUntil([&] { return handler.received() == 4; }));
  newest().Close(CloseReason::kLocal);
  EXPECT_TRUE(TurnUntil([&] { return handler.closed() == 1 && server.handler.closed() == 1; }));
  EXPECT_EQ(server.handler.record(0).dial, 0U) << "accepted, not dialled";
  EXPECT_EQ(handler.failed_dials(), Failures{});
  EXPECT_FALSE(loop->NextDeadline()) << "its timeout has gone";
}

TEST_F(ConnectorTest, ReachesIPv6AndUnixSockets) {
  const test::TemporaryFolder folder;
  DialToken token = 0;
  for (const Endpoint& endpoint :
       {Endpoint::FromAddress("::1", 0), Endpoint::FromPath(folder.File("gev.sock"))}) {
    LoopHarness other({}, endpoint);
    other.handler.echo = true;
    Dial(++token, other.address);
    ASSERT_TRUE(TurnUntil([&] {
      other.loop.Turn(0);
      return handler.opened() == static_cast<int>(token);
    }));
    EXPECT_EQ(newest().remote().host(), other.address.host());
    SendText(newest(), "ping");
    EXPECT_TRUE(TurnUntil([&] {
      other.loop.Turn(0);
      return handler.received() == 4 * token;
    }));
  }
}

TEST_F(ConnectorTest, DialledSocketsAreNonBlockingCloseOnExecAndUndelayed) {
  Dial(1, server.address);
  ASSERT_TRUE(TurnUntil([&] { return handler.opened() == 1; }));
  const int fd = newest().fd();
  EXPECT_NE(::fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  int undelayed = 0;
  socklen_t size = sizeof undelayed;
  EXPECT_EQ(::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &undelayed, &size), 0);
  EXPECT_NE(undelayed, 0);
}

TEST_F(ConnectorTest, ARefusedDialFailsWithTheSystemsError) {
  Dial(3, NobodyThere());
  ASSERT_TRUE(TurnUntilOutcomes(1));
  EXPECT_EQ(handler.failed_dials(), (Failures{{3, ECONNREFUSED}}));
  EXPECT_EQ(handler.opened(), 0);
  EXPECT_FALSE(loop->HasWork());
  EXPECT_FALSE(loop->NextDeadline());
}

TEST_F(ConnectorTest, AUnixPathWithoutAListenerFailsAtOnceButNotWithinTheCall) {
  const test::TemporaryFolder folder;
  std::ofstream(folder.File("plain")).put('x');
  {
    const FileDescriptor stale = reactor::ListenOn(Endpoint::FromPath(folder.File("stale")), {});
  }
  Dial(1, Endpoint::FromPath(folder.File("missing")));
  Dial(2, Endpoint::FromPath(folder.File("plain")));
  Dial(3, Endpoint::FromPath(folder.File("stale")));
  EXPECT_EQ(handler.failed_dials(), Failures{}) << "an event belongs into a turn";
  EXPECT_TRUE(loop->HasWork());
  loop->Turn(0);
  const Failures failures = handler.failed_dials();
  ASSERT_EQ(failures.size(), 3U);
  EXPECT_EQ(failures[0], (DialFailure{1, ENOENT}));
  EXPECT_EQ(failures[1].token, 2U);  // ECONNREFUSED or ENOTSOCK
  EXPECT_EQ(failures[2], (DialFailure{3, ECONNREFUSED}));
}

#ifdef __linux__
TEST_F(ConnectorTest, AUnixListenerWithoutRoomFailsAtOnce) {
  const test::TemporaryFolder folder;
  const Endpoint path = Endpoint::FromPath(folder.File("deaf"));
  const FileDescriptor listener = reactor::ListenOn(path, {.backlog = 1});
  for (DialToken token = 1; token <= 5; ++token) Dial(token, path);
  Settle();
  EXPECT_EQ(handler.opened(), 2);
  EXPECT_EQ(handler.failed_dials(), (Failures{{3, EAGAIN}, {4, EAGAIN}, {5, EAGAIN}}));
}
#endif

TEST_F(ConnectorTest, ADialWithoutAnAnswerEndsWithItsTimeoutAndNotBefore) {
  const DeafListener deaf;
  DialUnanswered(deaf.address());
  const auto start = reactor::MonotonicNow();
  Dial(2, deaf.address(), FromMilliseconds(100));
  ASSERT_TRUE(TurnUntil([&] { return !handler.failed_dials().empty(); }));
  EXPECT_GE(reactor::MonotonicNow() - start, FromMilliseconds(100));
  EXPECT_EQ(handler.failed_dials(), (Failures{{2, ETIMEDOUT}}));
}

TEST_F(ConnectorTest, ACancelledDialFailsOnceAndACancelTooLateIsHarmless) {
  const DeafListener deaf;
  DialUnanswered(deaf.address());
  loop->connector().Cancel(1);
  loop->connector().Cancel(1);
  loop->connector().Cancel(99);
  Settle();
  EXPECT_EQ(handler.failed_dials(), (Failures{{1, ECANCELED}}));
  Dial(2, server.address);
  ASSERT_TRUE(TurnUntil([&] { return server.handler.opened() == 1; }));
  Settle();
  loop->connector().Cancel(2);
  SendText(newest(), "ping");
  EXPECT_TRUE(TurnUntil([&] { return handler.received() == 4; }));
}

TEST_F(ConnectorTest, ADialThatIsCancelledWhenItHasConnectedAlreadyIsNeverAnnounced) {
  Dial(1, server.address);
  ASSERT_TRUE(server.TurnUntil([&] { return server.handler.opened() == 1; }));
  handler.Do(*loop, [&] { loop->connector().Cancel(1); });  // runs between the poll and the events
  ASSERT_TRUE(TurnUntil([&] { return server.handler.closed() == 1; }));
  EXPECT_EQ(handler.opened(), 0);
  EXPECT_EQ(handler.failed_dials(), (Failures{{1, ECANCELED}}));
}

TEST_F(ConnectorTest, ATokenMayBeUsedAgainAfterItsOutcome) {
  for (int round = 1; round <= 10; ++round) {
    Dial(1, round % 2 == 0 ? server.address : NobodyThere());
    ASSERT_TRUE(TurnUntilOutcomes(static_cast<std::size_t>(round)));
  }
  EXPECT_EQ(handler.opened(), 5);
  EXPECT_EQ(handler.failed_dials().size(), 5U);
}

TEST_F(ConnectorTest, ManyAtOnceEachConnectUnderTheirOwnToken) {
  constexpr DialToken kMany = 400;
  for (DialToken token = 1; token <= kMany; ++token) Dial(token, server.address);
  ASSERT_TRUE(TurnUntilOutcomes(kMany));
  std::vector<DialToken> tokens;
  for (const auto& record : handler.records()) tokens.push_back(record.dial);
  std::ranges::sort(tokens);
  ASSERT_EQ(tokens.size(), kMany);
  for (DialToken token = 1; token <= kMany; ++token) EXPECT_EQ(tokens[token - 1], token);
  for (const auto& record : handler.records()) {
    SendText(*loop->Find(record.slot, record.generation), std::to_string(record.dial));
  }
  EXPECT_TRUE(TurnUntil([&] {
    const auto records = handler.records();
    return std::ranges::all_of(records, [](const ConnectionRecord& record) {
      return record.received == std::to_string(record.dial);
    });
  }));
}

TEST_F(ConnectorTest, WhatThePeerSentBeforeTheDialWasServedArrivesAndSoDoesItsEnd) {
  server.handler.on_open = [](Connection& connection) {
    SendText(connection, "welcome");
    connection.Close(CloseReason::kLocal);
  };
  Dial(1, server.address);
  ASSERT_TRUE(server.TurnUntil([&] { return server.handler.opened() == 1; }));
  ASSERT_TRUE(TurnUntil([&] { return handler.closed() == 1; }));
  EXPECT_EQ(handler.record(0).received, "welcome");
  EXPECT_EQ(handler.record(0).ends, 1);
  EXPECT_EQ(handler.record(0).reason, CloseReason::kPeer);
}

TEST_F(ConnectorTest, APeerThatResetsAtOnceIsAFailureOrAReset) {
  server.handler.on_open = [](Connection& connection) {
    const linger hard{1, 0};
    ::setsockopt(connection.fd(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    connection.Abort(CloseReason::kLocal);
  };
  Dial(1, server.address);
  ASSERT_TRUE(server.TurnUntil([&] { return server.handler.closed() == 1; }));
  ASSERT_TRUE(TurnUntil([&] { return handler.closed() == 1 || !handler.failed_dials().empty(); }));
  if (handler.opened() == 0) {
    EXPECT_EQ(handler.failed_dials(), (Failures{{1, ECONNRESET}}));
  } else {
    EXPECT_EQ(handler.record(0).reason, CloseReason::kReset);
  }
}

TEST_F(ConnectorTest, ClosingOrAbortingAllCancelsDialsToo) {
  const DeafListener deaf;
  DialUnanswered(deaf.address());
  const auto pending = 11 - static_cast<std::size_t>(handler.opened());
  loop->CloseAll(CloseReason::kShutdown);
  Settle();
  Failures failures = handler.failed_dials();
  EXPECT_EQ(failures.size(), pending);
  for (const auto& failure : failures) EXPECT_EQ(failure.error, ECANCELED);
  Dial(1, deaf.address());
  loop->AbortAll(CloseReason::kShutdown);
  Settle();
  failures = handler.failed_dials();
  EXPECT_EQ(failures.size(), pending + 1);
  EXPECT_EQ(failures.back(), (DialFailure{1, ECANCELED}));
  EXPECT_EQ(handler.closed(), handler.opened());
}

TEST_F(ConnectorTest, ALoopThatEndsWithDialsPendingLeavesNoDescriptorBehind) {
  const DeafListener deaf;
  loop.reset();
  const std::size_t descriptors = test::CountDescriptors();
  loop.emplace(reactor::LoopOptions{}, handler);
  DialUnanswered(deaf.address());
  loop.reset();
  EXPECT_EQ(test::CountDescriptors(), descriptors);
  const auto failures = handler.failed_dials();
  EXPECT_EQ(failures, Failures{}) << "silently: there is no turn any more to tell it in";
}

TEST_F(ConnectorTest, FailedDialsLeakNothing) {
  const Endpoint nobody = NobodyThere();
  Dial(1, nobody);
  ASSERT_TRUE(TurnUntilOutcomes(1));
  const std::size_t descriptors = test::CountDescriptors();
  for (std::size_t i = 2; i <= 500; ++i) {
    Dial(static_cast<DialToken>(i), nobody);
    if (i % 50 != 0) continue;
    ASSERT_TRUE(TurnUntilOutcomes(i));
  }
  EXPECT_EQ(test::CountDescriptors(), descriptors);
  EXPECT_EQ(handler.opened(), 0);
}

/// A group without a listener, each loop with a handler of its own.
class DiallingGroup {
 public:
  explicit DiallingGroup(std::size_t loops) : handlers(loops) {
    std::vector<reactor::LoopHandler*> pointers;
    for (auto& handler : handlers) {
      handler = std::make_unique<RecordingHandler>();
      pointers.push_back(handler.get());
    }
    group = std::make_unique<reactor::LoopGroup>(reactor::GroupOptions{}, pointers);
    group->Start();
  }

  void Dial(std::size_t index, DialToken token, const Endpoint& remote) {
    reactor::EventLoop& loop = group->loop(index);
    handlers[index]->Do(loop,
                        [&loop, token, remote] { loop.connector().Dial(token, remote, kLong); });
  }
  [[nodiscard]] int opened() const {
    int sum = 0;
    for (const auto& handler : handlers) sum += handler->opened();
    return sum;
  }
  [[nodiscard]] std::size_t connections() const {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < group->size(); ++i) sum += group->connections(i);
    return sum;
  }

  std::vector<std::unique_ptr<RecordingHandler>> handlers;
  std::unique_ptr<reactor::LoopGroup> group;
};

TEST(DiallingGroupTest, LoopsOnThreadsDialWithoutAListener) {
  constexpr std::size_t kLoops = 3;
  constexpr int kEach = 40;
  RecordingHandler server_handler;
  server_handler.echo = true;
  reactor::LoopHandler* const pointer = &server_handler;
  reactor::LoopGroup server({}, std::span(&pointer, 1));
  const Endpoint address = server.Listen(Loopback());
  server.Start();
  DiallingGroup clients(kLoops);
  for (std::size_t i = 0; i < kLoops; ++i) {
    clients.handlers[i]->Do(clients.group->loop(i), [&handler = *clients.handlers[i]] {
      handler.on_open = [](Connection& connection) { SendText(connection, "ping"); };
      handler.on_read = [](Connection& connection) { connection.Close(CloseReason::kLocal); };
    });
    for (DialToken token = 1; token <= kEach; ++token) clients.Dial(i, token, address);
  }
  EXPECT_TRUE(test::WaitUntil([&] { return clients.opened() == kLoops * kEach; }));
  EXPECT_TRUE(test::WaitUntil([&] { return clients.connections() == 0; }))
      << "each was counted once when it opened and once when it closed";
  for (const auto& handler : clients.handlers) {
    EXPECT_EQ(handler->received(), 4U * kEach);
    EXPECT_EQ(handler->failed_dials(), Failures{});
  }
  EXPECT_EQ(clients.group->accepted(), 0U);
}

TEST(DiallingGroupTest, StopsWithDialsPendingAndLeaksNeitherDescriptorsNorThreads) {
  const DeafListener deaf;
  const auto cycle = [&](int round) {
    DiallingGroup clients(2);
    for (DialToken token = 1; token <= 5; ++token) {
      clients.Dial(0, token, deaf.address());
      clients.Dial(1, token, deaf.address());
    }
    if (round % 2 == 0) {
      EXPECT_TRUE(test::WaitUntil([&] { return !clients.handlers[0]->HasCommands(); }));
    }
  };
  cycle(0);
  const std::size_t threads = test::CountThreads();
  const std::size_t descriptors = test::CountDescriptors();
  for (int round = 0; round < 20; ++round) cycle(round);
  EXPECT_EQ(test::CountThreads(), threads);
  EXPECT_EQ(test::CountDescriptors(), descriptors);
}

}  // namespace
