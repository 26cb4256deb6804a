// What every back end must do; built once with epoll and once with kqueue.
#include "reactor/poller.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "reactor/socket.h"
#include "test/support/client_socket.h"
#include "test/support/loop_harness.h"
#include "test/support/socket_pair.h"

namespace {

using reactor::FileDescriptor;
using reactor::Has;
using reactor::Poller;
using reactor::PollToken;
using reactor::Ready;
using reactor::SocketOps;

class PollerTest : public testing::Test {
 protected:
  PollerTest() { std::tie(ours_, theirs_) = test::MakeSocketPair(); }

  /// One wait; the bits of all events of a token together.
  std::map<PollToken, Ready> Wait(int timeout_ms = 0) {
    std::map<PollToken, Ready> out;
    poller_.Wait(timeout_ms, [&](PollToken token, Ready bits) { out[token] = out[token] | bits; });
    return out;
  }

  bool IsReadable(const Poller& poller) {
    pollfd entry{poller.descriptor(), POLLIN, 0};
    return ::poll(&entry, 1, 0) == 1;
  }

  void FillSendQueue() {
    const std::string block(4096, 'x');
    while (SocketOps::Send(ours_.get(), block.data(), block.size()) > 0) continue;
  }
  void DrainTheirs() {
    std::array<char, 65536> buffer;
    while (SocketOps::Receive(theirs_.get(), buffer.data(), buffer.size()) > 0) continue;
  }

  Poller poller_;
  FileDescriptor ours_;
  FileDescriptor theirs_;
};

constexpr PollToken kToken = 0x1234'5678'9abc'def0;

TEST_F(PollerTest, ReportsNothingOfAnEmptySet) { EXPECT_TRUE(Wait().empty()); }

TEST_F(PollerTest, ReportsAWritableSocketOnce) {
  ASSERT_EQ(poller_.Add(ours_.get(), kToken), 0);
  const auto first = Wait(1000);
  ASSERT_TRUE(first.contains(kToken)) << "all 64 bits of a token come back";
  EXPECT_TRUE(Has(first.at(kToken), Ready::kWrite));
  EXPECT_FALSE(Has(first.at(kToken), Ready::kRead));
  EXPECT_FALSE(Has(first.at(kToken), Ready::kHangup));
  EXPECT_TRUE(Wait().empty()) << "edge-triggered";
}

TEST_F(PollerTest, ReportsEachArrivalOfBytesOnce) {
  ASSERT_EQ(poller_.Add(ours_.get(), kToken), 0);
  Wait();
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(SocketOps::Send(theirs_.get(), "x", 1), 1);
    const auto ready = Wait(1000);
    ASSERT_TRUE(ready.contains(kToken)) << "bytes left unread do not hide the next edge";
    EXPECT_TRUE(Has(ready.at(kToken), Ready::kRead));
    EXPECT_TRUE(Wait().empty());
  }
}

TEST_F(PollerTest, ReportsBytesThatWereThereBeforeTheRegistration) {
  ASSERT_EQ(SocketOps::Send(theirs_.get(), "x", 1), 1);
  ASSERT_EQ(poller_.Add(ours_.get(), kToken), 0);
  EXPECT_TRUE(Has(Wait(1000).at(kToken), Ready::kRead));
}

TEST_F(PollerTest, ReportsRoomAfterAFullQueue) {
  ASSERT_EQ(poller_.Add(ours_.get(), kToken), 0);
  Wait();
  FillSendQueue();
  EXPECT_TRUE(Wait().empty());
  DrainTheirs();
  EXPECT_TRUE(Has(Wait(1000).at(kToken), Ready::kWrite));
}

TEST_F(PollerTest, ReportsAHalfCloseAsReadableAndHangup) {
  ASSERT_EQ(poller_.Add(ours_.get(), kToken), 0);
  Wait();
  ASSERT_EQ(SocketOps::Shutdown(theirs_.get(), SHUT_WR), 0);
  const Ready ready = Wait(1000).at(kToken);
  EXPECT_TRUE(Has(ready, Ready::kRead));
  EXPECT_TRUE(Has(ready, Ready::kHangup));
}

TEST_F(PollerTest, ReportsACloseAsReadableAndHangup) {
  ASSERT_EQ(poller_.Add(ours_.get(), kToken), 0);
  Wait();
  theirs_.Reset();
  const Ready ready = Wait(1000).at(kToken);
  EXPECT_TRUE(Has(ready, Ready::kRead));
  EXPECT_TRUE(Has(ready, Ready::kHangup));
}

TEST_F(PollerTest, ReportsAResetOverTcp) {
  const FileDescriptor listener = reactor::ListenOn(test::Loopback(), {});
  test::ClientSocket client(reactor::Endpoint::LocalOf(listener.get()));
  const FileDescriptor accepted(SocketOps::Accept(listener.get(), nullptr, nullptr));
  ASSERT_TRUE(accepted.valid());
  ASSERT_EQ(poller_.Add(accepted.get(), kToken), 0);
  Wait();
  client.Reset();
  const Ready ready = Wait(1000).at(kToken);
  EXPECT_TRUE(Has(ready, Ready::kRead));
  EXPECT_TRUE(Has(ready, Ready::kHangup));
}

TEST_F(PollerTest, ReportsAListenerWithEachClient) {
  const FileDescriptor listener = reactor::ListenOn(test::Loopback(), {});
  ASSERT_EQ(poller_.Add(listener.get(), kToken), 0);
  EXPECT_TRUE(Wait().empty());
  const reactor::Endpoint address = reactor::Endpoint::LocalOf(listener.get());
  const test::ClientSocket one(address);
  EXPECT_TRUE(Has(Wait(1000).at(kToken), Ready::kRead));
  EXPECT_TRUE(Wait().empty());
  const test::ClientSocket two(address);
  EXPECT_TRUE(Has(Wait(1000).at(kToken), Ready::kRead));
}

TEST_F(PollerTest, RearmReportsOnceMoreWhatIsReadyNow) {
  ASSERT_EQ(SocketOps::Send(theirs_.get(), "x", 1), 1);
  ASSERT_EQ(poller_.Add(ours_.get(), kToken), 0);
  Wait(1000);
  ASSERT_TRUE(Wait().empty());
  ASSERT_EQ(poller_.Rearm(ours_.get(), kToken + 1), 0);
  const auto ready = Wait(1000);
  ASSERT_TRUE(ready.contains(kToken + 1)) << "the new token counts";
  EXPECT_TRUE(Has(ready.at(kToken + 1), Ready::kRead));
}

TEST_F(PollerTest, ARemovedDescriptorIsSilent) {
  ASSERT_EQ(poller_.Add(ours_.get(), kToken), 0);
  poller_.Remove(ours_.get());
  ASSERT_EQ(SocketOps::Send(theirs_.get(), "x", 1), 1);
  EXPECT_TRUE(Wait().empty());
  EXPECT_EQ(poller_.Add(ours_.get(), kToken), 0);
}

TEST_F(PollerTest, AClosedDescriptorLeavesByItselfAndItsNumberStartsAfresh) {
  ASSERT_EQ(poller_.Add(ours_.get(), kToken), 0);
  const int number = ours_.get();
  ours_.Reset();
  EXPECT_TRUE(Wait().empty());
  theirs_.Reset();
  std::tie(ours_, theirs_) = test::MakeSocketPair();
  ASSERT_EQ(ours_.get(), number);
  ASSERT_EQ(poller_.Add(ours_.get(), kToken + 7), 0);
  const auto ready = Wait(1000);
  EXPECT_EQ(ready.size(), 1U);
  EXPECT_TRUE(ready.contains(kToken + 7));
}

TEST_F(PollerTest, AddSaysWhatWentWrong) { EXPECT_EQ(poller_.Add(9999, kToken), -EBADF); }

TEST_F(PollerTest, WakeupEndsTheNextWait) {
  poller_.Wakeup();
  poller_.Wakeup();
  EXPECT_TRUE(Wait(-1).empty()) << "and is no event of anybody";
  EXPECT_TRUE(Wait().empty());
  EXPECT_FALSE(IsReadable(poller_)) << "two wake-ups are one";
}

TEST_F(PollerTest, WakeupFromAnotherThreadEndsASleep) {
  std::thread other([this] { poller_.Wakeup(); });
  EXPECT_TRUE(Wait(-1).empty());
  other.join();
}

TEST_F(PollerTest, WaitReturnsAfterItsTimeout) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(Wait(20).empty());
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(19));
}

TEST_F(PollerTest, ItsDescriptorTellsAHostLoopWhenThereIsSomething) {
  EXPECT_FALSE(IsReadable(poller_));
  ASSERT_EQ(poller_.Add(ours_.get(), kToken), 0);
  Wait();
  EXPECT_FALSE(IsReadable(poller_));
  ASSERT_EQ(SocketOps::Send(theirs_.get(), "x", 1), 1);
  EXPECT_TRUE(IsReadable(poller_));
  Wait();
  EXPECT_FALSE(IsReadable(poller_));
  poller_.Wakeup();
  EXPECT_TRUE(IsReadable(poller_));
}

TEST_F(PollerTest, ReportsManyDescriptorsOverSeveralWaits) {
  constexpr std::size_t kPairs = 400;  // more than one wait can carry
  std::vector<std::pair<FileDescriptor, FileDescriptor>> pairs;
  for (std::size_t i = 0; i < kPairs; ++i) {
    pairs.push_back(test::MakeSocketPair());
    ASSERT_EQ(poller_.Add(pairs.back().first.get(), i), 0);
  }
  std::map<PollToken, Ready> seen;
  for (int i = 0; i < 20 && seen.size() < kPairs; ++i) seen.merge(Wait());
  EXPECT_EQ(seen.size(), kPairs);
}

}  // namespace
