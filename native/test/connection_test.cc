// Connections on the real kernel: what a peer sees and what the handler is told.
#include "reactor/connection.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "test/support/client_socket.h"
#include "test/support/loop_harness.h"

namespace {

using reactor::CloseReason;
using reactor::Connection;
using test::ClientSocket;
using test::EndOfStream;
using test::LoopHarness;
using test::SendText;

std::string Pattern(std::size_t size) {
  std::mt19937_64 random(size);
  std::string bytes(size + sizeof(std::uint64_t), '\0');
  for (std::size_t i = 0; i < size; i += sizeof(std::uint64_t)) {
    const std::uint64_t word = random();
    std::memcpy(bytes.data() + i, &word, sizeof word);
  }
  bytes.resize(size);
  return bytes;
}

/// Megabytes belong into no failure message.
void ExpectSame(const std::string& got, const std::string& expected) {
  EXPECT_EQ(got.size(), expected.size());
  const auto [at, unused] = std::ranges::mismatch(got, expected);
  EXPECT_TRUE(at == got.end()) << "they differ at byte " << at - got.begin();
}

/// Turns the loop and reads, by turns, until the stream ends; `slowly` leaves most in the kernel.
std::string ReadToEnd(LoopHarness& harness, const ClientSocket& client, std::size_t step = 65536) {
  std::string bytes;
  bool ended = false;
  const bool done = harness.TurnUntil([&] {
    while (!ended) {
      const std::string piece = client.ReadAvailable(step, ended);
      if (piece.empty()) break;
      bytes += piece;
    }
    return ended;
  });
  EXPECT_TRUE(done);
  return bytes;
}

TEST(ConnectionTest, S10_TellsOfOpenBytesAndCloseInThisOrder) {
  LoopHarness harness;
  ClientSocket client = harness.Connect();
  client.Write("hello");
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.received() == 5; }));
  client.Close();
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 1; }));
  const auto record = harness.handler.record(0);
  EXPECT_EQ(record.received, "hello");
  EXPECT_EQ(record.ends, 1);
  EXPECT_EQ(record.reason, CloseReason::kPeer);
  EXPECT_EQ(record.error, 0);
  EXPECT_EQ(harness.loop.connection_count(), 0U);
}

TEST(ConnectionTest, C1_KnowsItsAddressesAndCounters) {
  LoopHarness harness;
  harness.handler.echo = true;
  const ClientSocket client = harness.Connect();
  client.Write("12345");
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.newest().bytes_written() == 5; }));
  const Connection& connection = harness.newest();
  EXPECT_EQ(connection.bytes_received(), 5U);
  EXPECT_EQ(connection.buffered(), 0U);
  EXPECT_EQ(connection.remote().host(), "127.0.0.1");
  EXPECT_EQ(connection.remote().port(), reactor::Endpoint::LocalOf(client.fd()).port());
  const auto counts = harness.loop.BytesOf(connection.slot(), connection.generation());
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->written, 5U);
  EXPECT_EQ(counts->received, 5U);
  EXPECT_FALSE(harness.loop.BytesOf(connection.slot(), connection.generation() + 1));
}

TEST(ConnectionTest, EchoesByteExactAndAnswersAHalfClose) {
  LoopHarness harness;
  harness.handler.echo = true;
  const ClientSocket client = harness.Connect();
  const std::string sent = Pattern(100'000);
  client.Write(sent);
  client.ShutdownWrite();
  ExpectSame(ReadToEnd(harness, client), sent);
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 1; }));
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kPeer);
}

TEST(ConnectionTest, C4_ManyPartsArriveInTheirOrder) {
  LoopHarness harness;
  const ClientSocket client = harness.Connect();
  std::vector<std::string> pieces;
  std::vector<std::span<const std::byte>> parts;
  std::string expected;
  for (std::size_t i = 0; i < 300; ++i) {
    pieces.push_back(Pattern(i % 7 == 0 ? 0 : i * 3));
    expected += pieces.back();
  }
  for (const std::string& piece : pieces) {
    parts.push_back(std::as_bytes(std::span(piece.data(), piece.size())));
  }
  harness.newest().Send(std::span(parts).first(10));    // small: composed
  harness.newest().Send(std::span(parts).subspan(10));  // large: vectors
  harness.newest().Close(CloseReason::kLocal);
  ExpectSame(ReadToEnd(harness, client), expected);
}

TEST(ConnectionTest, C10_AfterTheirFinPendingAndLateRepliesAreStillWritten) {
  LoopHarness harness;
  harness.handler.close_on_end = false;
  const ClientSocket client = harness.Connect();
  client.Write("request");
  client.ShutdownWrite();
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.record(0).ends == 1; }));
  harness.Settle();
  SendText(harness.newest(), "late reply");
  harness.newest().Close(CloseReason::kPeer);
  EXPECT_EQ(ReadToEnd(harness, client), "late reply");
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 1; }));
  EXPECT_EQ(harness.handler.record(0).ends, 1);
}

TEST(ConnectionTest, C10_TheEndIsToldOnceHoweverLongTheReplyTakes) {
  LoopHarness harness;
  harness.handler.close_on_end = false;
  const ClientSocket client = harness.Connect(8192);
  client.ShutdownWrite();
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.record(0).ends == 1; }));
  const std::string reply = Pattern(3 << 20);
  SendText(harness.newest(), reply);
  harness.newest().Close(CloseReason::kPeer);
  ExpectSame(ReadToEnd(harness, client), reply);
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 1; }));
  EXPECT_EQ(harness.handler.record(0).ends, 1);
}

TEST(ConnectionTest, C5_ResetByThePeerHasItsReason) {
  LoopHarness harness;
  ClientSocket client = harness.Connect();
  client.Reset();
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 1; }));
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kReset);
  EXPECT_EQ(harness.handler.record(0).error, ECONNRESET);
}

TEST(ConnectionTest, C5_AResetIsNoticedWhileReadingIsPaused) {
  LoopHarness harness;
  ClientSocket client = harness.Connect();
  harness.newest().Pause();
  client.Write("unread");
  client.Reset();
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 1; }));
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kReset);
}

TEST(ConnectionTest, C5_WritingToAPeerThatIsGoneRaisesNoSignal) {
  LoopHarness harness;
  harness.handler.close_on_end = false;
  ClientSocket client = harness.Connect();
  client.Close();
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.record(0).ends == 1; }));
  ASSERT_TRUE(harness.TurnUntil([&] {
    if (harness.handler.closed() == 0) SendText(harness.newest(), "anybody there?");
    return harness.handler.closed() == 1;
  }));
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kReset);
}

TEST(ConnectionTest, R3_AProtocolErrorEndsThisConnectionOnly) {
  LoopHarness harness;
  harness.handler.protocol_error_at = '!';
  const ClientSocket good = harness.Connect();
  const ClientSocket bad = harness.Connect();
  bad.Write("boo!");
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 1; }));
  EXPECT_EQ(harness.handler.record(1).reason, CloseReason::kProtocol);
  good.Write("fine");
  EXPECT_TRUE(harness.TurnUntil([&] { return harness.handler.received() == 4; }));
}

TEST(ConnectionTest, N2_WhatIsOwedWhenInputIsRefusedIsStillWritten) {
  LoopHarness harness;
  harness.handler.protocol_error_at = '!';
  harness.handler.close_on_end = false;
  const ClientSocket client = harness.Connect();
  client.Write("boo!");
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.record(0).ends == 1; }));
  client.Write("more");
  client.ShutdownWrite();  // of which nobody is told: there is one end
  SendText(harness.newest(), "a reply");
  harness.newest().Close(CloseReason::kLocal);
  ExpectSame(ReadToEnd(harness, client), "a reply");
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 1; }));
  EXPECT_EQ(harness.handler.record(0).received, "");
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kProtocol);
  EXPECT_EQ(harness.handler.record(0).error, EBADMSG);
}

TEST(ConnectionTest, W6_CloseFlushesThenSendsFin) {
  LoopHarness harness;
  const ClientSocket client = harness.Connect();
  const std::string sent = Pattern(5 << 20);
  SendText(harness.newest(), sent);
  EXPECT_GT(harness.newest().buffered(), 0U);
  harness.newest().Close(CloseReason::kLocal);
  harness.newest().Close(CloseReason::kShutdown);
  SendText(harness.newest(), "too late");
  ExpectSame(ReadToEnd(harness, client), sent);
  EXPECT_EQ(harness.handler.closed(), 0) << "it waits for the peer's FIN";
  client.ShutdownWrite();
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 1; }));
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kLocal);
}

TEST(ConnectionTest, W6_ClosingWhileThePeerStillSendsLosesNothingOfOurOutput) {
  LoopHarness harness;
  const ClientSocket client = harness.Connect();
  harness.newest().Pause();  // the peer's bytes stay unread until we close
  client.Write(Pattern(100'000));
  SendText(harness.newest(), "the whole answer");
  harness.newest().Close(CloseReason::kLocal);
  std::string got;
  harness.Settle();
  client.ShutdownWrite();
  EXPECT_EQ(client.ReadToEnd(got), EndOfStream::kFin);
  EXPECT_EQ(got, "the whole answer");
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 1; }));
  EXPECT_EQ(harness.handler.received(), 0U) << "nothing is delivered after close()";
}

TEST(ConnectionTest, W6_ShutdownWriteSendsFinAfterPendingOutputAndReadsOn) {
  LoopHarness harness;
  const ClientSocket client = harness.Connect();
  const std::string sent = Pattern(3 << 20);
  SendText(harness.newest(), sent);
  harness.newest().ShutdownWrite();
  harness.newest().ShutdownWrite();
  SendText(harness.newest(), "too late");
  ExpectSame(ReadToEnd(harness, client), sent);
  client.Write("still heard");
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.received() == 11; }));
  client.ShutdownWrite();
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 1; }));
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kPeer);
}

TEST(ConnectionTest, W6_AbortIsImmediate) {
  LoopHarness harness;
  const ClientSocket client = harness.Connect();
  SendText(harness.newest(), Pattern(8 << 20));
  Connection& connection = harness.newest();
  connection.Abort(CloseReason::kLocal);
  connection.Abort(CloseReason::kError, EIO);
  EXPECT_EQ(connection.state(), Connection::State::kClosed);
  EXPECT_EQ(connection.buffered(), 0U);
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 1; }));
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kLocal);
  EXPECT_EQ(harness.handler.record(0).error, 0);
  EXPECT_LT(ReadToEnd(harness, client).size(), 8U << 20U);
}

TEST(ConnectionTest, W6_APeerThatNeverReadsIsGivenUpAfterTheCloseTimeout) {
  reactor::LoopOptions options;
  options.connection.close_timeout = reactor::FromMilliseconds(60);
  LoopHarness harness(options);
  const ClientSocket client = harness.Connect(8192);
  SendText(harness.newest(), Pattern(16 << 20));
  const auto start = reactor::MonotonicNow();
  harness.newest().Close(CloseReason::kLocal);
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 1; }));
  EXPECT_GE(harness.handler.record(0).closed_at - start, reactor::FromMilliseconds(59));
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kLocal);
}

TEST(ConnectionTest, W3_ThirtyTwoMebibytesThroughASlowReaderArriveByteExact) {
  reactor::LoopOptions options;
  options.connection.close_timeout = reactor::FromMilliseconds(60'000);
  LoopHarness harness(options);
  const ClientSocket client = harness.Connect(64 * 1024);
  const std::string sent = Pattern(32 << 20);
  SendText(harness.newest(), sent);
  harness.newest().Close(CloseReason::kLocal);
  const std::string got = ReadToEnd(harness, client, 50'000);
  ExpectSame(got, sent);
}

TEST(ConnectionTest, R6_AFloodingPeerDoesNotStarveTheOthers) {
  LoopHarness harness;
  harness.handler.echo = true;
  harness.handler.keep_bytes = false;
  std::vector<ClientSocket> floods;
  for (int i = 0; i < 3; ++i) floods.push_back(harness.Connect());
  const ClientSocket quiet = harness.Connect();
  const std::string block(1 << 20, 'x');
  for (int round = 0; round < 20; ++round) {
    for (const ClientSocket& flood : floods) {
      flood.WriteAvailable(block);
    }
    quiet.Write("ping");
    std::string reply;
    bool ended = false;
    int turns = 0;
    for (; reply.size() < 4 && turns < 50; ++turns) {
      harness.loop.Turn(0);
      reply += quiet.ReadAvailable(4, ended);
      for (const ClientSocket& flood : floods) (void)flood.ReadAvailable(1 << 20, ended);
    }
    ASSERT_EQ(reply, "ping");
    ASSERT_LE(turns, 10) << "each of the others gets its share, no more";
  }
}

TEST(ConnectionTest, F4_ATurnReadsSixtyFourKibibytesHoweverManySend) {
  LoopHarness harness;
  harness.handler.keep_bytes = false;
  std::vector<ClientSocket> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(harness.Connect());
  const std::string block(128 * 1024, 'x');
  for (const ClientSocket& client : clients) client.WriteAvailable(block);
  for (std::uint64_t before = 0; before < 6 * block.size(); before = harness.handler.received()) {
    harness.loop.Turn(100);
    EXPECT_LE(harness.handler.received() - before, 64U * 1024);
  }
  const auto records = harness.handler.records();
  const auto [least, most] = std::ranges::minmax_element(
      records, {}, [](const test::ConnectionRecord& record) { return record.received_bytes; });
  EXPECT_LE(most->received_bytes - least->received_bytes, 64U * 1024) << "all get the same";
}

TEST(ConnectionTest, F4_WhatClosingConnectionsDiscardCountsAsRead) {
  LoopHarness harness;
  std::vector<ClientSocket> clients;
  for (int i = 0; i < 32; ++i) clients.push_back(harness.Connect());
  const std::string block(96 * 1024, 'x');
  for (const test::ConnectionRecord& record : harness.handler.records()) {
    Connection& connection = *harness.loop.Find(record.slot, record.generation);
    connection.Pause();
  }
  for (const ClientSocket& client : clients) {
    client.Write(block);
    client.ShutdownWrite();
  }
  harness.Settle();
  harness.loop.CloseAll(CloseReason::kLocal);
  int turns = 0;
  EXPECT_TRUE(harness.TurnUntil([&] { return ++turns, harness.handler.closed() == 32; }));
  EXPECT_GE(turns, 32 * 96 / 64);
}

TEST(ConnectionTest, R1_ReadsOnBehindUrgentDataWhereAReceiveCallStops) {
  LoopHarness harness;
  const ClientSocket client = harness.Connect();
  // All of it before the loop looks: no further edge will come.
  client.Write("before");
  ASSERT_EQ(::send(client.fd(), "!", 1, MSG_OOB), 1);
  client.Write("behind");
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.received() == 12; }));
  EXPECT_EQ(harness.handler.record(0).received, "beforebehind");
}

TEST(ConnectionTest, R1_ReadsOnBehindDescriptorsAndKeepsNoneOfThem) {
  const std::string path = "/tmp/gev-rights-" + std::to_string(::getpid());
  LoopHarness harness({}, reactor::Endpoint::FromPath(path));
  ClientSocket client = harness.Connect();
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  const auto send_with_descriptor = [&](std::string text) {
    iovec part{text.data(), text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &ends[1], sizeof(int));
    return ::sendmsg(client.fd(), &message, MSG_NOSIGNAL);
  };
  client.Write("one,");
  ASSERT_EQ(send_with_descriptor("two,"), 4);
  ASSERT_EQ(send_with_descriptor("three,"), 6);
  client.Write("four");
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.received() == 18; }));
  EXPECT_EQ(harness.handler.record(0).received, "one,two,three,four");
  // Were a copy of it kept, the pipe would not end with ours.
  ::close(ends[1]);
  char byte = 0;
  EXPECT_EQ(::read(ends[0], &byte, 1), 0);
  ::close(ends[0]);
  ::unlink(path.c_str());
}

// Under TSan this shows that pages may go while another thread asks for the counts of their
// connections.
TEST(ConnectionTest, M5_CountsAreReadWhilePagesComeAndGo) {
  LoopHarness harness;
  std::atomic<bool> done{false};
  std::thread reader([&] {
    std::uint64_t found = 0;
    for (std::uint32_t slot = 0; !done; slot = (slot + 1) % 2048) {
      if (harness.loop.BytesOf(slot, slot % 3)) ++found;
    }
    EXPECT_GT(found, 0U);
  });
  for (int round = 0; round < 3; ++round) {
    {
      std::vector<ClientSocket> clients;
      for (int i = 0; i < 300; ++i) clients.push_back(harness.Connect());
      EXPECT_GE(harness.loop.connection_capacity(), 300U);
    }
    EXPECT_TRUE(harness.TurnUntil([&] { return harness.loop.connection_count() == 0; }));
    EXPECT_EQ(harness.loop.connection_capacity(), reactor::ConnectionTable::kPageSize);
  }
  done = true;
  reader.join();
}

}  // namespace
