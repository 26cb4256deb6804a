#include "reactor/loop_group.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "test/support/client_socket.h"
#include "test/support/loop_harness.h"
#include "test/support/process.h"
#include "test/support/recording_handler.h"
#include "test/support/wait_until.h"

namespace {

using reactor::CloseReason;
using reactor::Endpoint;
using reactor::GroupOptions;
using reactor::LoadBalance;
using reactor::LoopGroup;
using test::ClientSocket;
using test::RecordingHandler;
using test::WaitUntil;

/// A listening group, each loop with a handler of its own.
class Server {
 public:
  explicit Server(std::size_t loops, GroupOptions options = {},
                  const Endpoint& endpoint = test::Loopback())
      : handlers_(loops) {
    std::vector<reactor::LoopHandler*> pointers;
    for (auto& handler : handlers_) {
      handler = std::make_unique<RecordingHandler>();
      handler->echo = true;
      pointers.push_back(handler.get());
    }
    group_ = std::make_unique<LoopGroup>(std::move(options), pointers);
    address_ = group_->Listen(endpoint);
    group_->Start();
  }

  [[nodiscard]] LoopGroup& group() { return *group_; }
  [[nodiscard]] const Endpoint& address() const { return address_; }
  [[nodiscard]] RecordingHandler& handler(std::size_t index) { return *handlers_[index]; }
  [[nodiscard]] int opened() const {
    int sum = 0;
    for (const auto& handler : handlers_) sum += handler->opened();
    return sum;
  }
  /// Connects one after the other; each is open on its loop before the next.
  void ConnectInTurn(int count) {
    for (int i = 0; i < count; ++i) {
      clients.emplace_back(address_);
      ASSERT_TRUE(WaitUntil([&] { return opened() == static_cast<int>(clients.size()); }));
    }
  }
  void ConnectAtOnce(int count) {
    const int before = opened();
    for (int i = 0; i < count; ++i) clients.emplace_back(address_);
    ASSERT_TRUE(WaitUntil([&] { return opened() == before + count; }));
  }
  [[nodiscard]] std::vector<std::size_t> counts() {
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < group_->size(); ++i) out.push_back(group_->connections(i));
    return out;
  }
  /// Every connection echoes, whatever thread it came to.
  void ExpectAllEcho() {
    for (const ClientSocket& client : clients) client.Write("ping");
    for (const ClientSocket& client : clients) EXPECT_EQ(client.Read(4), "ping");
  }

  std::vector<ClientSocket> clients;

 private:
  std::vector<std::unique_ptr<RecordingHandler>> handlers_;
  std::unique_ptr<LoopGroup> group_;
  Endpoint address_;
};

GroupOptions With(LoadBalance policy) {
  GroupOptions options;
  options.load_balance = policy;
  return options;
}

using Counts = std::vector<std::size_t>;

TEST(LoopGroupTest, M3_TheConnectionWithMostIsClosedOnWhateverLoopItIs) {
  GroupOptions options;
  options.max_total_output = 8 << 20;
  options.loop.socket.send_buffer = 64 << 10;
  Server server(2, options);
  server.ConnectInTurn(3);  // loops 0, 1, 0
  const auto send = [&](std::size_t loop, std::size_t index, std::size_t bytes) {
    RecordingHandler& handler = server.handler(loop);
    const auto record = handler.record(index);
    handler.Do(server.group().loop(loop), [&server, loop, record, bytes] {
      reactor::Connection* const connection =
          server.group().loop(loop).Find(record.slot, record.generation);
      if (connection != nullptr) test::SendText(*connection, std::string(bytes, 'x'));
    });
  };
  send(0, 0, 6 << 20);
  ASSERT_TRUE(WaitUntil([&] { return server.group().waiting_output() > (5U << 20U); }));
  send(1, 0, 4 << 20);
  ASSERT_TRUE(WaitUntil([&] { return server.handler(0).closed() == 1; }));
  const auto record = server.handler(0).record(0);
  EXPECT_EQ(record.reason, CloseReason::kBackpressure);
  EXPECT_EQ(record.error, ENOBUFS);
  EXPECT_EQ(server.handler(1).closed(), 0);
}

TEST(LoopGroupTest, S6_RoundRobinSpreadsNineOverFourLoopsExactly) {
  Server server(4, With(LoadBalance::kRoundRobin));
  server.ConnectAtOnce(9);
  EXPECT_EQ(server.counts(), (Counts{3, 2, 2, 2}));
  EXPECT_EQ(server.group().accepted(), 9U);
  server.ExpectAllEcho();
}

TEST(LoopGroupTest, S6_LeastConnectionsCountsAtAssignment) {
  Server server(4, With(LoadBalance::kLeastConnections));
  server.ConnectAtOnce(400);
  for (const std::size_t count : server.counts()) EXPECT_NEAR(static_cast<double>(count), 100, 1);
}

TEST(LoopGroupTest, S6_LeastConnectionsFillsWhatOthersLeft) {
  Server server(3, With(LoadBalance::kLeastConnections));
  server.ConnectInTurn(6);
  ASSERT_EQ(server.counts(), (Counts{2, 2, 2}));
  // The second and the fifth went to loop 1.
  server.clients[1].Close();
  server.clients[4].Close();
  ASSERT_TRUE(WaitUntil([&] { return server.group().connections(1) == 0; }));
  server.ConnectAtOnce(2);
  EXPECT_EQ(server.counts(), (Counts{2, 2, 2}));
}

TEST(LoopGroupTest, S6_SourceHashKeepsAClientAddressOnOneLoop) {
  Server server(4, With(LoadBalance::kSourceHash));
  server.ConnectAtOnce(20);
  auto counts = server.counts();
  std::ranges::sort(counts);
  EXPECT_EQ(counts, (Counts{0, 0, 0, 20}));
}

TEST(LoopGroupTest, S5_KernelModeListensOncePerLoop) {
  Server server(4, With(LoadBalance::kKernel));
  server.ConnectAtOnce(64);
  server.ExpectAllEcho();
#ifdef __linux__
  EXPECT_GE(std::ranges::count_if(server.counts(), [](std::size_t n) { return n > 0; }), 2);
#endif
}

TEST(LoopGroupTest, S5_KernelModeSharesItsPortWithNobodyWhoWasNotAsked) {
  Server server(3, With(LoadBalance::kKernel));
  const auto listen_there = [&](GroupOptions options) {
    try {
      const Server other(2, std::move(options), server.address());
      return 0;
    } catch (const std::system_error& error) {
      return error.code().value();
    }
  };
  EXPECT_EQ(listen_there(With(LoadBalance::kKernel)), EADDRINUSE);
  EXPECT_EQ(listen_there(With(LoadBalance::kRoundRobin)), EADDRINUSE);
  server.ConnectAtOnce(64);
  server.ExpectAllEcho();
}

TEST(LoopGroupTest, S5_KernelModeSharesItsPortWhereBothWereAsked) {
  GroupOptions shared = With(LoadBalance::kKernel);
  shared.listen.reuse_port = true;
  const Server one(2, shared);
  const Server two(2, shared, one.address());
}

TEST(LoopGroupTest, S7_OverTheLimitConnectionsAreClosedAndCountedAndASlotFreedIsUsable) {
  GroupOptions options;
  options.max_connections = 3;
  Server server(2, options);
  server.ConnectInTurn(3);
  const ClientSocket refused(server.address());
  std::string nothing;
  refused.ReadToEnd(nothing);
  EXPECT_EQ(nothing, "");
  EXPECT_TRUE(
      WaitUntil([&] { return server.group().refused(reactor::Refusal::kMaxConnections) == 1; }));
  server.clients[0].Close();
  EXPECT_TRUE(WaitUntil([&] { return server.counts()[0] + server.counts()[1] == 2; }));
  server.ConnectInTurn(0);
  const ClientSocket again(server.address());
  again.Write("ping");
  EXPECT_EQ(again.Read(4), "ping");
  EXPECT_EQ(server.opened(), 4) << "a refused one never reaches a handler";
}

TEST(LoopGroupTest, S3_ReportsTheRealAddress) {
  Server server(1);
  EXPECT_EQ(server.address().host(), "127.0.0.1");
  EXPECT_GT(server.address().port(), 0);
}

TEST(LoopGroupTest, S1_ListensOnSeveralAddressesWithAnyPolicyAndConnectionsSayOnWhich) {
  for (const LoadBalance policy : {LoadBalance::kRoundRobin, LoadBalance::kKernel}) {
    std::array<RecordingHandler, 3> handlers;
    std::array<reactor::LoopHandler*, 3> pointers{};
    std::atomic<unsigned> opened{0};
    std::array<std::atomic<int>, 3> accepted{};
    for (std::size_t i = 0; i < handlers.size(); ++i) {
      handlers[i].on_open = [&](reactor::Connection& connection) {
        ++accepted.at(connection.listener());
        ++opened;
      };
      pointers[i] = &handlers[i];
    }
    const std::string path = "/tmp/gev-listeners-" + std::to_string(::getpid());
    LoopGroup group(With(policy), pointers);
    const std::array<Endpoint, 3> addresses{group.Listen(test::Loopback()),
                                            group.Listen(Endpoint::FromPath(path)),
                                            group.Listen(test::Loopback())};
    group.Start();
    std::vector<ClientSocket> clients;
    for (int round = 0; round < 4; ++round) {
      for (const Endpoint& address : addresses) clients.emplace_back(address);
    }
    EXPECT_TRUE(WaitUntil([&] { return opened == 12; }));
    for (const auto& count : accepted) EXPECT_EQ(count, 4);
    group.Stop();
    EXPECT_NE(::access(path.c_str(), F_OK), 0) << "the file of the Unix socket stays";
  }
}

TEST(LoopGroupTest, S1_AFailedListenStartsNothing) {
  Server server(1);
  const std::size_t descriptors = test::CountDescriptors();
  const std::size_t threads = test::CountThreads();
  for (const LoadBalance policy : {LoadBalance::kRoundRobin, LoadBalance::kKernel}) {
    EXPECT_THROW(Server(3, With(policy), server.address()), std::system_error);
  }
  EXPECT_EQ(test::CountDescriptors(), descriptors);
  EXPECT_EQ(test::CountThreads(), threads);
}

TEST(LoopGroupTest, S8_AHundredStartsAndStopsLeakNeitherDescriptorsNorThreads) {
  const auto cycle = [](int round) {
    Server server(static_cast<std::size_t>(1 + round % 4));
    server.ConnectAtOnce(3);
    server.ExpectAllEcho();
    if (round % 2 == 0) server.group().Stop();
  };
  cycle(0);
  const std::size_t descriptors = test::CountDescriptors();
  const std::size_t threads = test::CountThreads();
  for (int round = 0; round < 100; ++round) cycle(round);
  EXPECT_EQ(test::CountDescriptors(), descriptors);
  EXPECT_EQ(test::CountThreads(), threads);
}

TEST(LoopGroupTest, S8_StopIsIdempotentAndHarmlessBeforeListen) {
  RecordingHandler handler;
  reactor::LoopHandler* const pointer = &handler;
  LoopGroup group({}, std::span(&pointer, 1));
  group.Stop();
  Server server(2);
  server.group().Stop();
  server.group().Stop();
}

TEST(LoopGroupTest, S8_ThePortCanBeBoundAgainAtOnce) {
  auto server = std::make_unique<Server>(2);
  server->ConnectAtOnce(10);
  const Endpoint address = server->address();
  server.reset();
  Server again(2, {}, address);
  again.ConnectAtOnce(1);
}

TEST(LoopGroupTest, S8_QuiesceThenCloseAllGivesEachConnectionItsCloseEvent) {
  constexpr std::size_t kLoops = 3;
  Server server(kLoops);
  server.ConnectAtOnce(60);
  for (const ClientSocket& client : server.clients) client.Write("last");
  for (std::size_t i = 0; i < kLoops; ++i) {
    reactor::EventLoop& loop = server.group().loop(i);
    server.handler(i).Do(loop, [&loop] { loop.Quiesce(); });
  }
  for (std::size_t i = 0; i < kLoops; ++i) {
    ASSERT_TRUE(WaitUntil([&] { return server.handler(i).quiesced() == 1; }));
    reactor::EventLoop& loop = server.group().loop(i);
    server.handler(i).Do(loop, [&loop] { loop.CloseAll(CloseReason::kShutdown); });
  }
  for (const ClientSocket& client : server.clients) {
    std::string reply;
    EXPECT_EQ(client.ReadToEnd(reply), test::EndOfStream::kFin);
    EXPECT_EQ(reply, "last");
    client.ShutdownWrite();
  }
  int closed = 0;
  EXPECT_TRUE(WaitUntil([&] {
    closed = 0;
    for (std::size_t i = 0; i < kLoops; ++i) closed += server.handler(i).closed();
    return closed == 60;
  })) << closed;
  for (std::size_t i = 0; i < kLoops; ++i) {
    for (const auto& record : server.handler(i).records()) {
      EXPECT_EQ(record.closes, 1);
      EXPECT_EQ(record.reason, CloseReason::kShutdown);
    }
  }
}

TEST(LoopGroupTest, S2_ServesAUnixSocketAndRemovesItsFile) {
  const test::TemporaryFolder folder;
  const std::string path = folder.File("gev.sock");
  struct stat status{};
  for (const LoadBalance policy : {LoadBalance::kRoundRobin, LoadBalance::kKernel}) {
    {
      Server server(2, With(policy), Endpoint::FromPath(path));
      EXPECT_EQ(server.address().host(), path);
      server.ConnectAtOnce(4);
      server.ExpectAllEcho();
      EXPECT_EQ(::stat(path.c_str(), &status), 0);
    }
    EXPECT_NE(::stat(path.c_str(), &status), 0);
  }
}

TEST(LoopGroupTest, AHostDrivenGroupHasNoThread) {
  GroupOptions options;
  options.host_driven = true;
  const std::size_t threads = test::CountThreads();
  Server server(1, options);
  EXPECT_EQ(test::CountThreads(), threads);
  const ClientSocket client(server.address());
  client.Write("ping");
  EXPECT_TRUE(WaitUntil([&] {
    server.group().loop(0).Turn(1);
    return server.handler(0).received() == 4;
  }));
}

TEST(LoopGroupTest, LoadOnManyThreadsStaysByteExact) {
  Server server(3, With(LoadBalance::kRoundRobin));
  server.ConnectAtOnce(30);
  std::vector<std::string> sent;
  for (std::size_t i = 0; i < server.clients.size(); ++i) {
    sent.emplace_back(20'000 + i, static_cast<char>('a' + i % 26));
  }
  for (int round = 0; round < 10; ++round) {
    for (std::size_t i = 0; i < sent.size(); ++i) server.clients[i].Write(sent[i]);
    for (std::size_t i = 0; i < sent.size(); ++i) {
      ASSERT_EQ(server.clients[i].Read(sent[i].size()), sent[i]);
    }
  }
}

}  // namespace
