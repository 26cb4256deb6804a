// A whole loop with its bridge, driven by a thread, against a consumer that plays JavaScript.
#include "bridge/loop_bridge.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "protocol/raw_framer.h"
#include "reactor/loop_group.h"

namespace bridge {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kInbound = 4;
constexpr std::size_t kOutbound = 4;

class WaitableDoorbell final : public Doorbell {
 public:
  bool Wait() {
    std::unique_lock lock(mutex_);
    return condition_.wait_for(lock, 10s, [this] { return std::exchange(rung_, false); });
  }

 protected:
  void WakeUp() noexcept override {
    const std::scoped_lock lock(mutex_);
    rung_ = true;
    condition_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool rung_ = false;
};

/// Frames of one length byte and as many bytes; 255 is invalid.
class ByteLengthFramer final : public protocol::Framer {
 public:
  protocol::FrameResult Next(std::span<const std::byte> input,
                             protocol::FrameState& /*state*/) const noexcept override {
    const auto length = static_cast<std::size_t>(input[0]);
    if (length == 255) return {protocol::FrameResult::Status::kInvalid, 0, 0, 0};
    if (input.size() < length + 1) return {};
    return {protocol::FrameResult::Status::kFrame, length + 1, 1, length};
  }
};

/// Plays JavaScript: takes batches, answers, publishes.
class Consumer {
 public:
  explicit Consumer(const protocol::Framer& framer, std::size_t loops = 1) {
    reactor::GroupOptions options;
    std::vector<reactor::LoopHandler*> handlers;
    for (std::size_t i = 0; i < loops; ++i) {
      inbound_of_.push_back(slabs_.size());
      std::vector<std::byte*> inbound = Memory(kInbound);
      outbound_of_.push_back(slabs_.size());
      std::vector<std::byte*> outbound = Memory(kOutbound);
      bridges_.push_back(std::make_unique<LoopBridge>(framer, &doorbell_, std::move(inbound),
                                                      std::move(outbound)));
      handlers.push_back(bridges_.back().get());
    }
    group_ = std::make_unique<reactor::LoopGroup>(options, handlers);
    for (std::size_t i = 0; i < loops; ++i) bridges_[i]->Attach(group_->loop(i));
    port_ = group_->Listen(reactor::Endpoint::FromAddress("127.0.0.1", 0)).port();
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }

  /// Reads events until `done`; `on_event(loop, descriptor, data)` may call Send().
  using Listener = std::function<void(std::size_t, const Descriptor&, std::string)>;
  bool ReadUntil(const std::function<bool()>& done, const Listener& on_event) {
    while (!done()) {
      doorbell_.BeginRound();
      for (std::size_t i = 0; i < bridges_.size(); ++i) ReadAll(i, on_event);
      if (!done() && doorbell_.TryIdle() && !doorbell_.Wait()) return false;
    }
    return true;
  }

  void Send(std::size_t loop, const Descriptor& to, const std::string& data) {
    Write(loop, static_cast<std::int32_t>(Operation::kSend), to, data);
  }
  /// `port` -1: a path.
  void Dial(std::size_t loop, std::uint32_t token, const std::string& address, std::int32_t port) {
    const double timeout = 5000;
    std::string payload(sizeof timeout + sizeof port, '\0');
    std::memcpy(payload.data(), &timeout, sizeof timeout);
    std::memcpy(payload.data() + sizeof timeout, &port, sizeof port);
    Write(loop, static_cast<std::int32_t>(Operation::kDial), Named(token), payload + address);
  }
  void CancelDial(std::size_t loop, std::uint32_t token) {
    Write(loop, static_cast<std::int32_t>(Operation::kDialCancel), Named(token), "");
  }
  static Descriptor Named(std::uint32_t token) {
    Descriptor out{};
    out.slot = token;
    return out;
  }
  void PublishAll() {
    for (std::size_t i = 0; i < bridges_.size(); ++i) Publish(i);
  }
  /// Flush, FIN, close: what the server layer does after a peer's FIN.
  void Close(std::size_t loop, const Descriptor& to) {
    Write(loop, static_cast<std::int32_t>(Operation::kClose), to, "");
  }

 private:
  std::vector<std::byte*> Memory(std::size_t count) {
    std::vector<std::byte*> out;
    for (std::size_t i = 0; i < count; ++i) {
      slabs_.push_back(std::make_unique<std::byte[]>(kSlabSize));
      out.push_back(slabs_.back().get());
    }
    return out;
  }

  [[nodiscard]] std::byte* OpenSlab(std::size_t loop) {
    return slabs_[outbound_of_[loop] + static_cast<std::size_t>(bridges_[loop]->mailbox().open())]
        .get();
  }

  void Write(std::size_t loop, std::int32_t operation, const Descriptor& to,
             const std::string& data) {
    const std::size_t size = kRecordHeader + PaddedTo4(data.size());
    if (static_cast<std::size_t>(LoadWord(OpenSlab(loop))) + size > kSlabSize) Publish(loop);
    std::byte* const slab = OpenSlab(loop);
    const auto used = static_cast<std::size_t>(LoadWord(slab));
    const Record record{operation, to.slot, to.generation, static_cast<std::uint32_t>(data.size())};
    std::memcpy(slab + used, &record, sizeof record);
    std::memcpy(slab + used + kRecordHeader, data.data(), data.size());
    StoreWord(slab, static_cast<std::int32_t>(used + size));
  }

  void Publish(std::size_t loop) {
    if (bridges_[loop]->mailbox().Publish()) group_->loop(loop).Wake();
  }

  void ReadAll(std::size_t loop, const Listener& on_event) {
    InboundStream& inbound = bridges_[loop]->inbound();
    for (std::int32_t index = inbound.Take(); index >= 0; index = inbound.Take()) {
      const std::byte* slab = slabs_[inbound_of_[loop] + static_cast<std::size_t>(index)].get();
      const auto count = static_cast<std::size_t>(LoadWord(slab));
      for (std::size_t i = 0; i < count; ++i) {
        Descriptor event{};
        std::memcpy(&event, slab + kSlabHeader + i * kDescriptorSize, sizeof event);
        std::string data(event.length, '\0');
        if (event.kind == EventKind::kLarge) {
          const auto frame = bridges_[loop]->TakeLarge(event.a);
          std::memcpy(data.data(), frame.bytes.get(), frame.size);
        } else {
          std::memcpy(data.data(), slab + event.offset, event.length);
        }
        on_event(loop, event, std::move(data));
      }
      if (inbound.Release(index)) group_->loop(loop).Wake();
      Publish(loop);
    }
  }

  WaitableDoorbell doorbell_;
  std::vector<std::unique_ptr<std::byte[]>> slabs_;
  std::vector<std::size_t> inbound_of_;
  std::vector<std::size_t> outbound_of_;
  std::vector<std::unique_ptr<LoopBridge>> bridges_;
  std::unique_ptr<reactor::LoopGroup> group_;
  std::uint16_t port_ = 0;
};

int Dial(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const reactor::Endpoint endpoint = reactor::Endpoint::FromAddress("127.0.0.1", port);
  EXPECT_EQ(::connect(fd, endpoint.data(), endpoint.length()), 0);
  return fd;
}

std::string Pattern(std::size_t size, unsigned seed) {
  std::string out(size, '\0');
  for (char& byte : out) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<char>(seed >> 24U);
  }
  return out;
}

/// Sends all of `data` in pieces of `piece` bytes, then FIN.
void SendAll(int fd, const std::string& data, std::size_t piece) {
  for (std::size_t at = 0; at < data.size();) {
    const ssize_t n = ::send(fd, data.data() + at, std::min(piece, data.size() - at), MSG_NOSIGNAL);
    if (n <= 0) return;
    at += static_cast<std::size_t>(n);
  }
  ::shutdown(fd, SHUT_WR);
}

std::string ReceiveAll(int fd) {
  std::string out;
  std::array<char, 65536> piece{};
  for (ssize_t n = 0; (n = ::recv(fd, piece.data(), piece.size(), 0)) > 0;) {
    out.append(piece.data(), static_cast<std::size_t>(n));
  }
  return out;
}

TEST(LoopBridgeTest, EchoesAMegabyteOnEightConnectionsByteExactOverTwoLoops) {
  constexpr std::size_t kConnections = 8;
  const protocol::RawFramer framer;
  Consumer server(framer, 2);
  std::array<bool, kConnections> equal{};
  std::vector<std::thread> clients;
  for (std::size_t i = 0; i < kConnections; ++i) {
    clients.emplace_back([&, i] {
      const int fd = Dial(server.port());
      const std::string sent = Pattern(1024 * 1024, static_cast<unsigned>(i));
      std::thread writer([&] { SendAll(fd, sent, sent.size()); });
      equal.at(i) = ReceiveAll(fd) == sent;
      writer.join();
      ::close(fd);
    });
  }
  std::size_t closed = 0;
  EXPECT_TRUE(
      server.ReadUntil([&] { return closed == kConnections; },
                       [&](std::size_t loop, const Descriptor& event, const std::string& data) {
                         if (event.kind == EventKind::kMessage) server.Send(loop, event, data);
                         if (event.kind == EventKind::kEnd) server.Close(loop, event);
                         if (event.kind == EventKind::kClose) ++closed;
                       }));
  for (std::thread& client : clients) client.join();
  for (const bool same : equal) EXPECT_TRUE(same);
}

TEST(LoopBridgeTest, R1_FindsTheSameFramesHoweverTheStreamIsSplit) {
  const ByteLengthFramer framer;
  for (const std::size_t piece : {1UL, 7UL, 1000UL, 1'000'000UL}) {
    std::vector<std::string> frames;
    std::string stream;
    for (unsigned i = 0; i < (piece == 1 ? 200U : 5000U); ++i) {
      frames.push_back(Pattern(i * 31 % 250, i));
      stream += static_cast<char>(frames.back().size());
      stream += frames.back();
    }
    Consumer server(framer);
    std::thread client([&] {
      const int fd = Dial(server.port());
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      SendAll(fd, stream, piece);
      ReceiveAll(fd);
      ::close(fd);
    });
    std::vector<std::string> got;
    bool closed = false;
    EXPECT_TRUE(
        server.ReadUntil([&] { return closed; },
                         [&](std::size_t loop, const Descriptor& event, const std::string& data) {
                           if (event.kind == EventKind::kMessage) got.push_back(data);
                           if (event.kind == EventKind::kEnd) server.Close(loop, event);
                           if (event.kind == EventKind::kClose) closed = true;
                         }));
    client.join();
    EXPECT_EQ(got, frames) << "in pieces of " << piece;
  }
}

TEST(LoopBridgeTest, R3_AnInvalidFrameEndsThatConnectionOnly) {
  const ByteLengthFramer framer;
  Consumer server(framer);
  const int good = Dial(server.port());
  const int bad = Dial(server.port());
  const std::string invalid("\xff", 1);
  ASSERT_EQ(::send(bad, invalid.data(), 1, MSG_NOSIGNAL), 1);
  std::uint32_t reason = 99;
  std::map<std::uint32_t, std::string> received;
  EXPECT_TRUE(server.ReadUntil([&] { return reason != 99; },
                               [&](std::size_t, const Descriptor& event, const std::string&) {
                                 if (event.kind == EventKind::kClose) reason = event.a;
                               }));
  EXPECT_EQ(reason, static_cast<std::uint32_t>(reactor::CloseReason::kProtocol));
  ASSERT_EQ(::send(good, "\x02hi", 3, MSG_NOSIGNAL), 3);
  std::string message;
  EXPECT_TRUE(server.ReadUntil([&] { return !message.empty(); },
                               [&](std::size_t, const Descriptor& event, const std::string& data) {
                                 if (event.kind == EventKind::kMessage) message = data;
                               }));
  EXPECT_EQ(message, "hi");
  ::close(good);
  ::close(bad);
}

TEST(LoopBridgeTest, DialsOnTheRecordAndTellsEachOutcomeUnderItsToken) {
  const protocol::RawFramer framer;
  Consumer both(framer, 2);
  both.Dial(0, 1, "127.0.0.1", both.port());
  both.Dial(1, 0xffffff, "127.0.0.1", both.port());
  both.Dial(0, 2, "no address", both.port());
  both.Dial(1, 3, std::string(200, 'x'), -1);
  both.Dial(1, 4, "/nowhere/gev.sock", -1);
  both.CancelDial(1, 99);
  both.PublishAll();
  std::map<std::uint32_t, std::uint32_t> failed;
  std::map<std::uint32_t, std::string> opened;
  std::map<std::uint32_t, std::string> received;
  std::map<std::uint32_t, std::uint32_t> token_of;
  const auto key = [](std::size_t loop, const Descriptor& event) {
    return static_cast<std::uint32_t>(loop) << 20U | event.slot;
  };
  EXPECT_TRUE(
      both.ReadUntil([&] { return received.size() == 2 && failed.size() == 3; },
                     [&](std::size_t loop, const Descriptor& event, const std::string& data) {
                       if (event.kind == EventKind::kDialFailed) failed[event.slot] = event.a;
                       if (event.kind == EventKind::kOpen) {
                         EXPECT_EQ(event.c & 0xff, 4U);
                         const std::uint32_t token = event.c >> 8U;
                         token_of[key(loop, event)] = token;
                         if (token == 0) return;
                         opened[token] = data.substr(0, event.b);
                         both.Send(loop, event, "to " + std::to_string(token));
                       }
                       if (event.kind == EventKind::kMessage) {
                         const std::uint32_t token = token_of.at(key(loop, event));
                         if (token == 0) both.Send(loop, event, data);
                         if (token != 0) received[token] += data;
                       }
                     }));
  EXPECT_EQ(failed,
            (std::map<std::uint32_t, std::uint32_t>{{2, EINVAL}, {3, ENAMETOOLONG}, {4, ENOENT}}));
  EXPECT_EQ(opened,
            (std::map<std::uint32_t, std::string>{{1, "127.0.0.1"}, {0xffffff, "127.0.0.1"}}));
  EXPECT_EQ(received,
            (std::map<std::uint32_t, std::string>{{1, "to 1"}, {0xffffff, "to 16777215"}}));
}

}  // namespace
}  // namespace bridge
