// Memory that cannot be had costs the connection it is for, not the process.
#include <gtest/gtest.h>

#include <cerrno>
#include <new>
#include <string>
#include <vector>

#include "reactor/connection.h"
#include "test/support/failing_allocations.h"
#include "test/support/mock_harness.h"

namespace {

using reactor::CloseReason;
using test::FailingAllocations;
using test::MockHarness;
using test::MockPeer;

constexpr std::size_t kMegabyte = 1024 * 1024;

void ExpectOutOfMemory(const test::ConnectionRecord& record) {
  EXPECT_EQ(record.closes, 1);
  EXPECT_EQ(record.reason, CloseReason::kError);
  EXPECT_EQ(record.error, ENOMEM);
}

void ExpectEcho(MockHarness& harness, MockPeer& peer) {
  harness.handler.echo = true;
  peer.Send("still there?");
  harness.Settle();
  EXPECT_EQ(peer.Receive(), "still there?");
}

TEST(OutOfMemoryTest, S10_OutputThatFindsNoMemoryEndsItsConnectionAlone) {
  MockHarness harness;
  MockPeer other = harness.Connect();
  MockPeer peer = harness.Connect();
  peer.SetWindow(10);
  {
    const FailingAllocations none(kMegabyte);
    test::SendText(harness.newest(), std::string(kMegabyte * 2 / 3, 'x'));
    harness.Settle();
  }
  ExpectOutOfMemory(harness.handler.record(1));
  ExpectEcho(harness, other);
}

TEST(OutOfMemoryTest, S10_InputThatFindsNoMemoryEndsItsConnectionAlone) {
  MockHarness harness;
  MockPeer other = harness.Connect();
  MockPeer peer = harness.Connect();
  harness.handler.on_read = [](reactor::Connection& /*connection*/) { throw std::bad_alloc(); };
  peer.Send("the begin of a long frame");
  harness.Settle();
  harness.handler.on_read = nullptr;
  ExpectOutOfMemory(harness.handler.record(1));
  ExpectEcho(harness, other);
}

TEST(OutOfMemoryTest, S10_AConnectionThatCannotBeAnnouncedEndsAndIsAnnouncedLater) {
  MockHarness harness;
  MockPeer other = harness.Connect();
  harness.handler.out_of_memory = true;
  MockPeer peer = harness.kernel.Dial(harness.port);
  harness.Turn(3);
  EXPECT_EQ(harness.handler.closed(), 0);
  harness.handler.out_of_memory = false;
  harness.Settle();
  EXPECT_EQ(harness.loop().connection_count(), 1U);
  ExpectOutOfMemory(harness.handler.records().back());
  ExpectEcho(harness, other);
}

TEST(OutOfMemoryTest, S10_AllConnectionsMayBecomeReadyAtOnce) {
  MockHarness harness;
  harness.handler.read_size = 512;  // its own memory
  constexpr std::size_t kConnections = 400;
  std::vector<MockPeer> peers;
  for (std::size_t i = 0; i < kConnections; ++i) peers.push_back(harness.Connect());
  for (MockPeer& peer : peers) peer.Send("x");
  {
    const FailingAllocations none(1024);
    harness.Settle();
  }
  EXPECT_EQ(harness.handler.received(), kConnections);
}

TEST(OutOfMemoryTest, S10_WhatIsDroppedWhileClosingNeedsNoMemory) {
  MockHarness harness;
  MockPeer peer = harness.Connect();
  harness.newest().Close(CloseReason::kLocal);
  {
    const FailingAllocations none(16 * 1024);
    peer.Send("late");
    harness.Settle();
  }
  peer.ShutdownWrite();
  harness.Settle();
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kLocal);
}

}  // namespace
