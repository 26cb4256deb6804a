// Driving a loop: tasks, wake-ups, stop, deadlines, quiescing.
#include "reactor/event_loop.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "test/support/client_socket.h"
#include "test/support/loop_harness.h"
#include "test/support/socket_pair.h"

namespace {

using reactor::CloseReason;
using reactor::EventLoop;
using reactor::FromMilliseconds;
using test::ClientSocket;
using test::LoopHarness;
using test::RecordingHandler;
using test::SendText;
using test::WaitUntil;

TEST(EventLoopTest, CarriesOutTasksOfOtherThreadsInOrder) {
  RecordingHandler handler;
  EventLoop loop({}, handler);
  std::thread thread([&] { loop.Run(); });
  std::vector<int> order;  // the loop's thread only, until the join
  for (int i = 0; i < 1000; ++i) loop.Post([&order, i] { order.push_back(i); });
  std::atomic<bool> done{false};
  loop.Post([&] { done = true; });
  EXPECT_TRUE(WaitUntil([&] { return done.load(); }));
  loop.Stop();
  thread.join();
  ASSERT_EQ(order.size(), 1000U);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(EventLoopTest, NoWakeUpIsLostBetweenManyThreads) {
  RecordingHandler handler;
  EventLoop loop({}, handler);
  std::thread thread([&] { loop.Run(); });
  std::vector<std::thread> posters;
  for (int t = 0; t < 3; ++t) {
    posters.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        std::atomic<bool> done{false};
        if (t % 2 == 0) {
          loop.Post([&] { done.store(true); });
        } else {
          handler.Do(loop, [&] { done.store(true); });
        }
        while (!done.load()) std::this_thread::yield();
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  loop.Stop();
  thread.join();
}

TEST(EventLoopTest, RoomMadeByAnotherThreadIsUsedAfterAWake) {
  LoopHarness harness;
  harness.handler.SetRoom(0);
  const ClientSocket client(harness.address);
  std::thread thread([&] { harness.loop.Run(); });
  harness.handler.SetRoom(RecordingHandler::kUnlimited);
  harness.loop.Wake();
  EXPECT_TRUE(WaitUntil([&] { return harness.handler.opened() == 1; }));
  harness.loop.Stop();
  thread.join();
}

TEST(EventLoopTest, StopEndsASleepingLoopAndOneThatHasNotBegun) {
  RecordingHandler handler;
  EventLoop sleeping({}, handler);
  std::thread thread([&] { sleeping.Run(); });
  sleeping.Stop();
  thread.join();
  EventLoop early({}, handler);
  early.Stop();
  early.Run();
}

TEST(EventLoopTest, AHostLoopDrivesItThroughItsDescriptorAndDeadline) {
  LoopHarness harness;
  harness.handler.echo = true;
  harness.Settle();
  EXPECT_FALSE(harness.loop.HasWork());
  pollfd entry{harness.loop.descriptor(), POLLIN, 0};
  EXPECT_EQ(::poll(&entry, 1, 0), 0);
  const ClientSocket client(harness.address);
  client.Write("ping");
  std::string reply;
  bool ended = false;
  EXPECT_TRUE(WaitUntil([&] {
    if (::poll(&entry, 1, 100) == 1 || harness.loop.HasWork()) {
      while (harness.loop.Turn(0)) continue;
    }
    reply += client.ReadAvailable(4, ended);
    return reply == "ping";
  }));
  EXPECT_FALSE(harness.loop.NextDeadline());
  harness.loop.timers().Start(1, FromMilliseconds(30), 0);
  ASSERT_TRUE(harness.loop.NextDeadline());
  EXPECT_LE(*harness.loop.NextDeadline(), reactor::MonotonicNow() + FromMilliseconds(32));
}

TEST(EventLoopTest, RunCommandsWorksBetweenTurns) {
  LoopHarness harness;
  const ClientSocket client = harness.Connect();
  harness.handler.Do(harness.loop, [&] { SendText(harness.newest(), "now"); });
  harness.loop.RunCommands();
  EXPECT_EQ(client.Read(3), "now");
}

TEST(EventLoopTest, T1_RepeatingTimersKeepTheirRate) {
  RecordingHandler handler;
  EventLoop loop({}, handler);
  const auto start = reactor::MonotonicNow();
  handler.on_timer = [&](reactor::TimerId id) { loop.timers().Acknowledge(id); };
  loop.timers().Start(7, FromMilliseconds(20), FromMilliseconds(20));
  while (handler.timers().size() < 10 &&
         reactor::MonotonicNow() < start + FromMilliseconds(20'000)) {
    loop.Turn(-1);
  }
  const auto timers = handler.timers();
  ASSERT_EQ(timers.size(), 10U);
  std::uint64_t ticks = 0;
  for (const auto& timer : timers) {
    ticks += 1 + timer.skipped;
    EXPECT_GE(timer.at, start + ticks * FromMilliseconds(20)) << "never early, and no drift";
  }
}

TEST(EventLoopTest, AStaleIdentityFindsNothing) {
  LoopHarness harness;
  ClientSocket client = harness.Connect();
  const auto old = harness.handler.record(0);
  client.Close();
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 1; }));
  EXPECT_EQ(harness.loop.Find(old.slot, old.generation), nullptr);
  const ClientSocket next = harness.Connect();
  EXPECT_EQ(harness.handler.record(1).slot, old.slot);
  EXPECT_NE(harness.handler.record(1).generation, old.generation);
  EXPECT_EQ(harness.loop.Find(old.slot, old.generation), nullptr);
  EXPECT_EQ(harness.loop.Find(1'000'000, 0), nullptr);
}

TEST(EventLoopTest, AdoptedSocketsOfAnyKindWork) {
  RecordingHandler handler;
  handler.echo = true;
  EventLoop loop({}, handler);
  auto [ours, theirs] = test::MakeSocketPair();
  reactor::Endpoint unnamed;
  ASSERT_NE(loop.Adopt({.socket = std::move(ours), .remote = unnamed}), nullptr);
  ASSERT_EQ(reactor::SocketOps::Send(theirs.get(), "hi", 2), 2);
  for (int i = 0; i < 20 && handler.received() < 2; ++i) loop.Turn(10);
  char reply[2] = {};
  EXPECT_EQ(reactor::SocketOps::Receive(theirs.get(), reply, 2), 2);
}

// --- the end of a server -------------------------------------------------------------------------

TEST(EventLoopTest, S8_QuiesceDeliversWhatTheKernelHoldsAndThenSaysSo) {
  LoopHarness harness;
  const ClientSocket old = harness.Connect();
  old.Write("sent in time");
  const ClientSocket waiting(harness.address);  // completed by the kernel, not accepted yet
  waiting.Write("me too");
  harness.loop.Quiesce();
  harness.loop.Quiesce();
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.quiesced() == 1; }));
  EXPECT_EQ(harness.handler.opened(), 2);
  EXPECT_EQ(harness.handler.received(), 18U);
  EXPECT_NE(ClientSocket(harness.address).connect_error(), 0) << "the port is free";
  old.Write("too late");
  harness.Settle();
  EXPECT_EQ(harness.handler.received(), 18U);
  EXPECT_EQ(harness.handler.quiesced(), 1);
  harness.loop.CloseAll(CloseReason::kShutdown);
  old.ShutdownWrite();
  waiting.ShutdownWrite();
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 2; }));
  for (const auto& record : harness.handler.records()) {
    EXPECT_EQ(record.reason, CloseReason::kShutdown);
  }
}

TEST(EventLoopTest, S8_QuiesceWithoutConnectionsIsDoneInTheNextTurn) {
  LoopHarness harness;
  harness.Settle();
  harness.loop.Quiesce();
  EXPECT_TRUE(harness.loop.HasWork());
  harness.loop.Turn(-1);
  EXPECT_EQ(harness.handler.quiesced(), 1);
}

TEST(EventLoopTest, S8_QuiesceWaitsForRoom) {
  LoopHarness harness;
  const ClientSocket client = harness.Connect();
  client.Write("kept");
  harness.handler.SetRoom(0);
  harness.loop.Quiesce();
  harness.Settle();
  EXPECT_EQ(harness.handler.quiesced(), 0);
  harness.handler.SetRoom(1);
  harness.Settle();
  EXPECT_EQ(harness.handler.received(), 4U);
  EXPECT_EQ(harness.handler.quiesced(), 0);
  harness.handler.SetRoom(1);
  EXPECT_TRUE(harness.loop.HasWork());
  harness.Settle();
  EXPECT_EQ(harness.handler.quiesced(), 1);
}

TEST(EventLoopTest, S8_APausedConnectionHoldsNobodyUp) {
  LoopHarness harness;
  const ClientSocket client = harness.Connect();
  harness.newest().Pause();
  client.Write("unread");
  harness.loop.Quiesce();
  EXPECT_TRUE(harness.TurnUntil([&] { return harness.handler.quiesced() == 1; }));
}

TEST(EventLoopTest, S8_AConnectionHandedOverLateIsReadToItsEndToo) {
  LoopHarness harness;
  harness.loop.Quiesce();
  auto [ours, theirs] = test::MakeSocketPair();
  ASSERT_EQ(reactor::SocketOps::Send(theirs.get(), "late", 4), 4);
  harness.loop.Adopt({.socket = std::move(ours), .remote = {}});
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.quiesced() == 1; }));
  EXPECT_EQ(harness.handler.received(), 4U);
  ASSERT_EQ(reactor::SocketOps::Send(theirs.get(), "more", 4), 4);
  harness.Settle();
  EXPECT_EQ(harness.handler.received(), 4U);
}

TEST(EventLoopTest, S8_AbortAllEndsEveryConnectionOnce) {
  LoopHarness harness;
  std::vector<ClientSocket> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(harness.Connect());
  harness.loop.AbortAll(CloseReason::kShutdown);
  harness.loop.AbortAll(CloseReason::kError);
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 100; }));
  for (const auto& record : harness.handler.records()) {
    EXPECT_EQ(record.closes, 1);
    EXPECT_EQ(record.reason, CloseReason::kShutdown);
  }
  EXPECT_EQ(harness.loop.connection_count(), 0U);
}

}  // namespace
