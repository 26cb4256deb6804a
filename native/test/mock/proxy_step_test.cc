// A PROXY header in front of a connection.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/proxy_header.h"
#include "protocol/proxy_step.h"
#include "test/support/mock_harness.h"

namespace {

using protocol::ProxyHeader;
using protocol::ProxyVersions;
using reactor::AcceptFilter;
using reactor::FromMilliseconds;
using reactor::Refusal;
using test::MockHarness;
using test::MockPeer;

constexpr auto kAny = static_cast<ProxyVersions>(protocol::kProxyV1 | protocol::kProxyV2);

std::string Bytes(std::initializer_list<int> bytes) {
  std::string out;
  for (const int byte : bytes) out.push_back(static_cast<char>(byte));
  return out;
}

/// Of version 2.
std::string V2(int command, int family, const std::string& payload) {
  return Bytes({0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 'Q', 'U', 'I', 'T', 0x0a, command, family,
                static_cast<int>(payload.size() >> 8U), static_cast<int>(payload.size() & 0xffU)}) +
         payload;
}

const std::string kV4 = Bytes({10, 1, 2, 3, 192, 168, 0, 1, 0xd4, 0x31, 0x01, 0xbb});
const std::string kV6 = std::string(Bytes({0x20, 0x01, 0x0d, 0xb8})) + std::string(11, '\0') +
                        Bytes({1}) + std::string(15, '\0') + Bytes({1, 0xd4, 0x31, 0x01, 0xbb});
const std::string kTlvs = Bytes({1, 0, 2, 'h', '2', 2, 0, 4, 'h', 'o', 's', 't', 0xee, 0, 0});

ProxyHeader Read(const std::string& text, ProxyVersions versions = kAny) {
  return ReadProxyHeader(std::as_bytes(std::span(text)), versions);
}

struct Case {
  std::string header;
  std::string host;  // empty: the socket's own
  std::uint16_t port;
};

std::vector<Case> Valid() {
  return {
      {"PROXY TCP4 10.1.2.3 192.168.0.1 54321 443\r\n", "10.1.2.3", 54321},
      {"PROXY TCP6 2001:db8::1 ::1 54321 443\r\n", "2001:db8::1", 54321},
      {"PROXY TCP6 ::ffff:10.1.2.3 ::ffff:192.168.0.1 54321 443\r\n", "10.1.2.3", 54321},
      {"PROXY TCP6 10.1.2.3 192.168.0.1 54321 443\r\n", "10.1.2.3", 54321},
      {"PROXY UNKNOWN\r\n", "", 0},
      {"PROXY UNKNOWN whatever 1 2 3\r\n", "", 0},
      {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535},
      {V2(0x21, 0x11, kV4), "10.1.2.3", 54321},
      {V2(0x21, 0x11, kV4 + kTlvs), "10.1.2.3", 54321},
      {V2(0x21, 0x21, kV6), "2001:db8::1", 54321},
      {V2(0x21, 0x31, std::string(216, 'x')), "", 0},
      {V2(0x21, 0x00, "x"), "", 0},
      {V2(0x20, 0x00, ""), "", 0},
      {V2(0x20, 0x11, kV4 + "garbage"), "", 0},
      {V2(0x21, 0x11, kV4 + Bytes({5, 0x0f, 0xf1}) + std::string(4081, 'u')), "10.1.2.3", 54321},
  };
}

std::vector<std::string> Wrong() {
  return {
      "GET / HTTP/1.1\r\n\r\n",
      Bytes({0x16, 3, 1, 2, 0, 1}),
      "PROXY TCP4 2001:db8::1 ::1 54321 443\r\n",
      "PROXY TCP4 10.1.2.3 192.168.0.1 54321\r\n",
      "PROXY TCP4 10.1.2.3 192.168.0.1 54321 443 \r\n",
      "PROXY TCP4 10.1.2.3 192.168.0.1 54321 443 1\r\n",
      "PROXY TCP4  10.1.2.3 192.168.0.1 54321 443\r\n",
      "PROXY TCP4 10.1.2.3 192.168.0.1 65536 443\r\n",
      "PROXY TCP4 10.1.2.3 192.168.0.1 -1 443\r\n",
      "PROXY TCP4 10.1.2.3 192.168.0.1 007 443\r\n",
      "PROXY TCP4 10.1.2 192.168.0.1 7 443\r\n",
      "PROXY TCP6 fe80::1%lo ::1 7 443\r\n",
      "PROXY TCP5 10.1.2.3 192.168.0.1 54321 443\r\n",
      "PROXY \r\n",
      "PROXY UNKNOWN\n",
      "PROXY UNKNOWN " + std::string(100, 'x'),
      V2(0x11, 0x11, kV4),
      V2(0x22, 0x11, kV4),
      V2(0x21, 0x12, kV4),
      V2(0x21, 0x11, kV4.substr(1)),
      V2(0x21, 0x21, kV4),
      V2(0x21, 0x11, kV4 + Bytes({1, 0})),
      V2(0x21, 0x11, kV4 + Bytes({1, 0, 2, 'h'})),
      V2(0x21, 0x11, kV4 + std::string(4085, '\0')),
  };
}

TEST(ProxyHeaderTest, E4_EachFormNamesItsClientAndIsAsLongAsItIs) {
  for (const Case& each : Valid()) {
    const ProxyHeader header = Read(each.header + "what follows");
    ASSERT_EQ(header.status, ProxyHeader::Status::kComplete) << each.header;
    EXPECT_EQ(header.length, each.header.size());
    EXPECT_EQ(header.source ? header.source->host() : "", each.host);
    EXPECT_EQ(header.source ? header.source->port() : 0, each.port);
  }
}

TEST(ProxyHeaderTest, E4_NothingLessThanAllOfItIsOne) {
  for (const Case& each : Valid()) {
    for (std::size_t length = 0; length < each.header.size(); ++length) {
      EXPECT_EQ(Read(each.header.substr(0, length)).status, ProxyHeader::Status::kIncomplete)
          << each.header << length;
    }
  }
}

TEST(ProxyHeaderTest, E4_AnythingElseIsNone) {
  for (const std::string& wrong : Wrong()) {
    const ProxyHeader header = Read(wrong);
    EXPECT_EQ(header.status, ProxyHeader::Status::kInvalid) << wrong;
    EXPECT_NE(header.problem, nullptr);
  }
  EXPECT_EQ(Read("PROXY UNKNOWN\r\n", protocol::kProxyV2).status, ProxyHeader::Status::kInvalid);
  EXPECT_EQ(Read(V2(0x20, 0, ""), protocol::kProxyV1).status, ProxyHeader::Status::kInvalid);
}

/// A loop behind a proxy.
class ProxyStepTest : public testing::Test {
 protected:
  explicit ProxyStepTest(reactor::AcceptLimits limits = {}) : filter(limits) {
    harness.make_preface = [this] {
      auto preface = std::make_unique<reactor::Preface>();
      preface->Add(std::make_unique<protocol::ProxyStep>(kAny, filter));
      return preface;
    };
  }
  static reactor::LoopOptions Options() {
    reactor::LoopOptions options;
    options.connection.handshake_timeout = FromMilliseconds(10'000);
    return options;
  }

  AcceptFilter filter;
  MockHarness harness{Options()};
};

TEST_F(ProxyStepTest, E4_WhereverItIsSplitTheClientIsTheSameAndNoByteBehindItIsLost) {
  for (const Case& each : Valid()) {
    const std::string stream = each.header + "first";
    for (std::size_t split = 0; split <= stream.size(); split += split < 130 ? 1 : 97) {
      MockPeer peer = harness.kernel.Dial(harness.port);
      peer.Send(stream.substr(0, split));
      harness.Settle();
      peer.Send(stream.substr(split));
      harness.Settle();
      const auto record = harness.handler.records().back();
      ASSERT_EQ(record.received, "first") << each.header << split;
      reactor::Connection& connection = harness.newest();
      EXPECT_EQ(connection.remote().port(), each.host.empty() ? peer.port() : each.port);
      EXPECT_EQ(connection.remote().host(), each.host.empty() ? "127.0.0.1" : each.host);
      peer.Close();
      harness.Settle();
    }
  }
  EXPECT_EQ(harness.loop().connection_count(), 0U);
}

TEST_F(ProxyStepTest, E4_WhatIsNoHeaderCostsTheConnection) {
  for (const std::string& wrong : Wrong()) {
    MockPeer peer = harness.kernel.Dial(harness.port);
    peer.Send(wrong);
    harness.Settle();
    EXPECT_TRUE(peer.saw_end() || peer.saw_reset()) << wrong;
  }
  EXPECT_EQ(harness.handler.opened(), 0);
  EXPECT_EQ(harness.loop().refused(Refusal::kProxyHeader), Wrong().size());
  EXPECT_EQ(harness.handler.refusals().at(0).detail, "it does not begin with one");
}

TEST_F(ProxyStepTest, E4_OneByteASecondEndsInTime) {
  MockPeer peer = harness.kernel.Dial(harness.port);
  const auto begun = harness.kernel.now();
  const std::string header = V2(0x21, 0x11, kV4);
  for (std::size_t i = 0; !peer.saw_end() && i < header.size(); ++i) {
    peer.Send(header.substr(i, 1));
    harness.Sleep(1000);
  }
  EXPECT_LE(harness.kernel.now() - begun, FromMilliseconds(11'000));
  EXPECT_EQ(harness.loop().refused(Refusal::kHandshakeTimeout), 1U);
  EXPECT_EQ(harness.handler.opened(), 0);
}

TEST_F(ProxyStepTest, E4_ShortPeeksAndReceivesMakeNoDifference) {
  for (unsigned skip = 0; skip < 4; ++skip) {
    MockPeer peer = harness.kernel.Dial(harness.port);
    harness.kernel.Fail(test::Call::kReceive, EAGAIN, 1, skip);
    peer.Send(V2(0x21, 0x11, kV4 + kTlvs) + "first");
    harness.Settle();
    EXPECT_EQ(harness.handler.records().back().received, "first") << skip;
    harness.kernel.ClearScript(test::Call::kReceive);
  }
}

class ProxyLimitsTest : public ProxyStepTest {
 protected:
  ProxyLimitsTest() : ProxyStepTest({.max_connections_per_address = 1}) {}
};

TEST_F(ProxyLimitsTest, E4_LimitsAreThoseOfTheClientThatIsNamed) {
  const std::string header = "PROXY TCP4 10.1.2.3 192.168.0.1 54321 443\r\n";
  MockPeer first = harness.kernel.Dial(harness.port);
  first.Send(header);
  harness.Settle();
  EXPECT_EQ(harness.handler.opened(), 1);
  MockPeer second = harness.kernel.Dial(harness.port);
  second.Send(header);
  harness.Settle();
  EXPECT_EQ(harness.handler.opened(), 1);
  EXPECT_EQ(harness.loop().refused(Refusal::kMaxConnectionsPerAddress), 1U);
  EXPECT_EQ(harness.handler.refusals().at(0).remote.host(), "10.1.2.3");
  for (int i = 0; i < 3; ++i) {
    MockPeer check = harness.kernel.Dial(harness.port);
    check.Send("PROXY UNKNOWN\r\n");
    harness.Settle();
    EXPECT_EQ(harness.handler.opened(), 2 + i) << "the proxy's own are not limited";
  }
}

}  // namespace
