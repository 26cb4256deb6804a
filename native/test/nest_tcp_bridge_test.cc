// Nest's wire format through a whole loop: from the client's socket to the descriptors in a slab.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "bridge/slab.h"
#include "protocol/nest_tcp_framer.h"
#include "reactor/clock.h"
#include "reactor/close_reason.h"
#include "reactor/loop_group.h"
#include "test/support/bridge_consumer.h"
#include "test/support/client_socket.h"

namespace bridge {
namespace {

using reactor::CloseReason;
using test::BridgeConsumer;
using test::ClientSocket;

constexpr std::size_t kMiB = 1024 * 1024;
constexpr std::size_t kLimit = 4 * kMiB;

std::string Framed(std::size_t units, std::string_view text) {
  return std::to_string(units) + '#' + std::string(text);
}

std::string Repeated(std::string_view text, std::size_t times) {
  std::string out;
  out.reserve(text.size() * times);
  while (times-- > 0) out += text;
  return out;
}

/// A server of Nest's format on one loop, and what it has told of its connections.
class Server {
 public:
  explicit Server(std::size_t limit = kLimit, std::uint64_t incomplete_frame_timeout_ms = 0)
      : framer_(limit), consumer_(framer_, 1, Options(incomplete_frame_timeout_ms)) {}

  [[nodiscard]] const reactor::Endpoint& address() const { return consumer_.address(); }

  template <typename Condition>
  [[nodiscard]] bool ReadUntil(Condition&& done) {
    return consumer_.ReadUntil(
        done, [this](std::size_t loop, const EventDescriptor& event, std::string data) {
          switch (event.kind) {
            case EventKind::kLarge:
              ++large;
              [[fallthrough]];
            case EventKind::kText:
              ascii.push_back((event.b & 1U) != 0);
              frames.push_back(std::move(data));
              break;
            case EventKind::kEnd:
              consumer_.Close(loop, event);
              break;
            case EventKind::kClose:
              closes.push_back(static_cast<CloseReason>(event.a));
              break;
            default:
              break;
          }
        });
  }

  std::vector<std::string> frames;
  std::vector<bool> ascii;
  std::vector<CloseReason> closes;
  int large = 0;

 private:
  static reactor::GroupOptions Options(std::uint64_t incomplete_frame_timeout_ms) {
    reactor::GroupOptions options;
    options.loop.connection.incomplete_frame_timeout =
        reactor::FromMilliseconds(incomplete_frame_timeout_ms);
    return options;
  }

  protocol::NestTcpFramer framer_;
  BridgeConsumer consumer_;
};

/// Sends the stream in pieces of that size, then FIN, and waits for the server's.
std::thread Send(const Server& server, const std::string& stream, std::size_t piece) {
  return std::thread([&server, &stream, piece] {
    const ClientSocket client(server.address());
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      if (!client.Write(std::string_view(stream).substr(at, piece))) break;
    }
    client.ShutdownWrite();
    std::string rest;
    EXPECT_EQ(client.ReadToEnd(rest), test::EndOfStream::kFin);
  });
}

TEST(NestTcpBridgeTest, R1_FindsTheSameFramesHoweverTheStreamIsCut) {
  const std::vector<std::string> texts = {"",
                                          "{}",
                                          "é漢😀",
                                          R"({"pattern":"sum","data":[1,2]})",
                                          "\xff\xff",
                                          Repeated("é", 3000),
                                          "{}",
                                          "7",
                                          Repeated("漢😀", 5000),
                                          Repeated("x", 5000),
                                          "\xf0\x9f\x98\x80"};
  const std::vector<std::size_t> units = {0, 2, 4, 30, 2, 3000, 2, 1, 15000, 5000, 2};
  std::string stream;
  for (std::size_t i = 0; i < texts.size(); ++i) stream += Framed(units[i], texts[i]);
  for (const std::size_t piece : {1UL, 2UL, 3UL, 7UL, 100UL, 1460UL, 5000UL, 1'000'000UL}) {
    Server server;
    std::thread client = Send(server, stream, piece);
    EXPECT_TRUE(server.ReadUntil([&] { return !server.closes.empty(); }));
    client.join();
    EXPECT_EQ(server.frames, texts) << "in pieces of " << piece;
    ASSERT_EQ(server.ascii.size(), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      EXPECT_EQ(server.ascii[i], std::ranges::all_of(texts[i], [](char byte) { return byte >= 0; }))
          << i << " in pieces of " << piece;
    }
    EXPECT_EQ(server.closes, std::vector<CloseReason>{CloseReason::kPeer});
  }
}

TEST(NestTcpBridgeTest, DeliversFramesAroundTheSizesOfReadsAndSlabs) {
  std::vector<std::string> texts;
  for (const std::size_t size : {4 * 1024UL, 16 * 1024UL, 64 * 1024UL, InboundStream::kMaxData / 2,
                                 InboundStream::kMaxData, kSlabSize, kMiB, kLimit}) {
    for (const std::size_t length : {size - 12, size - 1, size, size + 1}) {
      if (length > kLimit) continue;
      texts.push_back(std::string(length, static_cast<char>('a' + texts.size() % 26)));
      texts.emplace_back("{}");
    }
  }
  std::string stream;
  for (const std::string& text : texts) stream += Framed(text.size(), text);
  for (const std::size_t piece : {4096UL, 70'000UL, stream.size()}) {
    Server server;
    std::thread client = Send(server, stream, piece);
    EXPECT_TRUE(server.ReadUntil([&] { return !server.closes.empty(); }));
    client.join();
    ASSERT_EQ(server.frames.size(), texts.size()) << "in pieces of " << piece;
    EXPECT_TRUE(server.frames == texts) << "in pieces of " << piece;
    EXPECT_EQ(server.large, 16) << "frames longer than a slab take";
  }
}

TEST(NestTcpBridgeTest, DeliversTwentyThousandFramesOfOneWriteInOrder) {
  std::vector<std::string> texts;
  std::string stream;
  for (int i = 0; i < 20'000; ++i) {
    texts.push_back(std::to_string(i));
    stream += Framed(texts.back().size(), texts.back());
  }
  Server server;
  std::thread client = Send(server, stream, stream.size());
  EXPECT_TRUE(server.ReadUntil([&] { return !server.closes.empty(); }));
  client.join();
  EXPECT_TRUE(server.frames == texts);
}

TEST(NestTcpBridgeTest, R3_DeliversWhatCameBeforeAnInvalidFrameAndThenTheEnd) {
  for (const std::string_view invalid : {"x", "99999999999#", "4194305#", "1#😀", "-1#"}) {
    Server server;
    const ClientSocket good(server.address());
    const ClientSocket bad(server.address());
    ASSERT_TRUE(bad.Write("2#{}1#7" + std::string(invalid) + "2#{}"));
    bad.ShutdownWrite();  // else it would be waited for as long as it may stay
    EXPECT_TRUE(server.ReadUntil([&] { return !server.closes.empty(); }));
    EXPECT_EQ(server.frames, (std::vector<std::string>{"{}", "7"})) << invalid;
    EXPECT_EQ(server.closes, std::vector<CloseReason>{CloseReason::kProtocol}) << invalid;
    ASSERT_TRUE(good.Write("5#still"));
    EXPECT_TRUE(server.ReadUntil([&] { return server.frames.size() == 3; }));
    EXPECT_EQ(server.frames.back(), "still");
  }
}

TEST(NestTcpBridgeTest, R4_EndsAConnectionWhoseFrameStaysIncomplete) {
  constexpr std::uint64_t kTimeout = 200;
  for (const std::string_view beginning : {"5", "5#", "5#ab", "2#\xf0\x9f\x98", "1000000#"}) {
    Server server(kLimit, kTimeout);
    const ClientSocket idle(server.address());
    const ClientSocket stalled(server.address());
    ASSERT_TRUE(stalled.Write("2#{}"));
    EXPECT_TRUE(server.ReadUntil([&] { return server.frames.size() == 1; }));
    const auto started = std::chrono::steady_clock::now();
    ASSERT_TRUE(stalled.Write(beginning));
    EXPECT_TRUE(server.ReadUntil([&] { return !server.closes.empty(); }));
    EXPECT_GE(std::chrono::steady_clock::now() - started, std::chrono::milliseconds(kTimeout));
    EXPECT_EQ(server.closes, std::vector<CloseReason>{CloseReason::kProtocol}) << beginning;
    ASSERT_TRUE(idle.Write("2#{}")) << "no frame of it has begun";
    EXPECT_TRUE(server.ReadUntil([&] { return server.frames.size() == 2; }));
    EXPECT_EQ(server.closes.size(), 1U);
  }
}

TEST(NestTcpBridgeTest, R4_KeepsAConnectionWhoseLongFrameComesSlowly) {
  constexpr std::uint64_t kTimeout = 1000;
  const std::string text(64 * 1024, 'x');
  Server server(kLimit, kTimeout);
  std::thread client([&] {
    const ClientSocket socket(server.address());
    const std::string stream = std::to_string(text.size()) + "#" + text;
    constexpr std::size_t kPieces = 16;
    const std::size_t size = stream.size() / kPieces + 1;
    for (std::size_t at = 0; at < stream.size(); at += size) {  // longer, in all, than a time-out
      ASSERT_TRUE(socket.Write(stream.substr(at, size)));
      std::this_thread::sleep_for(std::chrono::milliseconds(2 * kTimeout / kPieces));
    }
    socket.ShutdownWrite();
    std::string rest;
    EXPECT_EQ(socket.ReadToEnd(rest), test::EndOfStream::kFin);
  });
  EXPECT_TRUE(server.ReadUntil([&] { return !server.closes.empty(); }));
  client.join();
  EXPECT_EQ(server.frames, std::vector<std::string>{text});
  EXPECT_EQ(server.closes, std::vector<CloseReason>{CloseReason::kPeer});
}

TEST(NestTcpBridgeTest, R3_HoldsFewLargeFramesForAReceiverThatIsBusy) {
  constexpr std::size_t kFrames = 256;
  const std::string frame = Framed(kMiB, std::string(kMiB, 'x'));
  Server server;
  std::atomic<std::size_t> sent{0};
  std::thread client([&] {
    const ClientSocket socket(server.address());
    for (std::size_t i = 0; i < kFrames; ++i) {
      if (!socket.Write(frame)) return;
      ++sent;
    }
    socket.ShutdownWrite();
    std::string rest;
    EXPECT_EQ(socket.ReadToEnd(rest), test::EndOfStream::kFin);
  });
  // Nobody takes anything: what the client gets rid of lies in the kernel (10 MiB at most), or
  // here.
  std::size_t last = 0;
  for (int quiet = 0; quiet < 10 && sent < kFrames; ++quiet) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (last != sent) quiet = 0;
    last = sent;
  }
  EXPECT_LT(last, 64U);
  EXPECT_TRUE(server.ReadUntil([&] { return !server.closes.empty(); }));
  client.join();
  ASSERT_EQ(server.frames.size(), kFrames);
  for (const std::string& text : server.frames) ASSERT_EQ(text.size(), kMiB);
}

TEST(NestTcpBridgeTest, KeepsEachConnectionItsFramesWhateverThePaceOfTheReceiver) {
  constexpr std::size_t kConnections = 4;
  constexpr std::size_t kFrames = 300;
  const auto frame_of = [](std::size_t connection, std::size_t index) {
    std::mt19937 random(static_cast<unsigned>(connection * kFrames + index));
    static constexpr std::array<std::size_t, 6> kSizes = {20, 200, 5'000, 70'000, 300'000, kMiB};
    const std::size_t size = random() % kSizes[random() % (index % 10 == 0 ? 6 : 4)];
    return std::to_string(index) + std::string(size, static_cast<char>('a' + random() % 26));
  };
  const protocol::NestTcpFramer framer(kLimit);
  BridgeConsumer consumer(framer);
  std::vector<std::thread> clients;
  for (std::size_t connection = 0; connection < kConnections; ++connection) {
    clients.emplace_back([&, connection] {
      const ClientSocket socket(consumer.address());
      std::mt19937 random(static_cast<unsigned>(connection));
      std::string waiting = Framed(1, std::to_string(connection));
      for (std::size_t index = 0; index < kFrames; ++index) {
        const std::string text = frame_of(connection, index);
        waiting += Framed(text.size(), text);
        if (random() % 3 != 0) continue;
        const std::size_t part = random() % (waiting.size() + 1);  // the rest comes with the next
        ASSERT_TRUE(socket.Write(std::string_view(waiting).substr(0, part)));
        waiting.erase(0, part);
      }
      ASSERT_TRUE(socket.Write(waiting));
      socket.ShutdownWrite();
      std::string rest;
      EXPECT_EQ(socket.ReadToEnd(rest), test::EndOfStream::kFin);
    });
  }
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<std::string>> frames;
  std::size_t closed = 0;
  std::mt19937 random(1);
  EXPECT_TRUE(
      consumer.ReadUntil([&] { return closed == kConnections; },
                         [&](std::size_t loop, const EventDescriptor& event, std::string data) {
                           if (event.kind == EventKind::kText || event.kind == EventKind::kLarge) {
                             frames[{event.subject, event.generation}].push_back(std::move(data));
                           }
                           if (event.kind == EventKind::kEnd) consumer.Close(loop, event);
                           if (event.kind == EventKind::kClose) ++closed;
                           if (random() % 16 == 0)
                             std::this_thread::sleep_for(std::chrono::milliseconds(1));
                         }));
  for (std::thread& client : clients) client.join();
  ASSERT_EQ(frames.size(), kConnections);
  for (const auto& [name, received] : frames) {
    ASSERT_EQ(received.size(), kFrames + 1);
    const auto connection = static_cast<std::size_t>(received[0][0] - '0');
    for (std::size_t index = 0; index < kFrames; ++index) {
      ASSERT_TRUE(received[index + 1] == frame_of(connection, index))
          << connection << ": " << index;
    }
  }
}

}  // namespace
}  // namespace bridge
