#include "reactor/endpoint.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>
#include <string>
#include <system_error>

namespace {

using reactor::Endpoint;

int ErrorOf(const std::string& host) {
  try {
    Endpoint::FromAddress(host, 1);
    return 0;
  } catch (const std::system_error& error) {
    return error.code().value();
  }
}

TEST(EndpointTest, ReadsAndWritesIPv4) {
  const Endpoint endpoint = Endpoint::FromAddress("192.0.2.7", 1833);
  EXPECT_EQ(endpoint.family(), AF_INET);
  EXPECT_EQ(endpoint.host(), "192.0.2.7");
  EXPECT_EQ(endpoint.port(), 1833);
  EXPECT_EQ(endpoint.length(), sizeof(sockaddr_in));
  EXPECT_FALSE(endpoint.is_unix());
}

TEST(EndpointTest, ReadsAndWritesIPv6) {
  const Endpoint endpoint = Endpoint::FromAddress("2001:db8::1", 65535);
  EXPECT_EQ(endpoint.family(), AF_INET6);
  EXPECT_EQ(endpoint.host(), "2001:db8::1");
  EXPECT_EQ(endpoint.port(), 65535);
  EXPECT_EQ(endpoint.length(), sizeof(sockaddr_in6));
}

TEST(EndpointTest, ShowsAMappedIPv4PeerAsIPv4) {
  EXPECT_EQ(Endpoint::FromAddress("::ffff:192.0.2.7", 1).host(), "192.0.2.7");
  EXPECT_EQ(Endpoint::FromAddress("::ffff:192.0.2.7", 1).family(), AF_INET6);
}

TEST(EndpointTest, KeepsTheScopeOfALinkLocalAddress) {
  const unsigned loopback =
      ::if_nametoindex("lo") != 0 ? ::if_nametoindex("lo") : ::if_nametoindex("lo0");
  if (loopback == 0) GTEST_SKIP() << "no loopback interface by name";
  std::array<char, IF_NAMESIZE> name{};
  ASSERT_NE(::if_indextoname(loopback, name.data()), nullptr);
  for (const std::string& scope : {std::string(name.data()), std::to_string(loopback)}) {
    const Endpoint endpoint = Endpoint::FromAddress("fe80::1%" + scope, 1);
    sockaddr_in6 address{};
    std::memcpy(&address, endpoint.data(), sizeof address);
    EXPECT_EQ(address.sin6_scope_id, loopback) << scope;
    EXPECT_EQ(endpoint.host(), "fe80::1%" + std::string(name.data()));
  }
}

TEST(EndpointTest, RefusesWhatIsNoNumericAddress) {
  for (const char* host : {"", "localhost", "1.2.3", "1.2.3.4.5", "::1::", "[::1]", "fe80::1%",
                           "fe80::1%no-such-if", "fe80::1%-1", "127.0.0.1%lo"}) {
    EXPECT_EQ(ErrorOf(host), EINVAL) << host;
  }
}

TEST(EndpointTest, HoldsAUnixPath) {
  const Endpoint endpoint = Endpoint::FromPath("/tmp/gev.sock");
  EXPECT_TRUE(endpoint.is_unix());
  EXPECT_EQ(endpoint.host(), "/tmp/gev.sock");
  EXPECT_EQ(endpoint.port(), 0);
}

TEST(EndpointTest, RefusesAPathThatDoesNotFit) {
  const std::string longest(sizeof(sockaddr_un::sun_path) - 1, 'x');
  EXPECT_EQ(Endpoint::FromPath(longest).host(), longest);
  try {
    Endpoint::FromPath(longest + "x");
    FAIL() << "took a path that is too long";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), ENAMETOOLONG);
  }
}

TEST(EndpointTest, AnUnnamedUnixPeerHasAnEmptyHost) {
  sockaddr_storage storage{};
  storage.ss_family = AF_UNIX;
  EXPECT_EQ(Endpoint(storage, offsetof(sockaddr_un, sun_path)).host(), "");
}

// Linux counts the NUL that it puts behind such a path, though it has no place in the address.
TEST(EndpointTest, AUnixPathThatFillsItsFieldIsTakenAsItIs) {
  sockaddr_storage storage{};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path(sizeof address.sun_path, 'x');
  path.copy(static_cast<char*>(address.sun_path), path.size());
  std::memcpy(&storage, &address, sizeof address);
  EXPECT_EQ(Endpoint(storage, sizeof address + 1).host(), path);
}

TEST(EndpointTest, S6_HashesTheAddressAndNotThePort) {
  const auto hash = [](const char* host, std::uint16_t port) {
    return Endpoint::FromAddress(host, port).HostHash();
  };
  EXPECT_EQ(hash("192.0.2.7", 1), hash("192.0.2.7", 2));
  EXPECT_NE(hash("192.0.2.7", 1), hash("192.0.2.8", 1));
  EXPECT_EQ(hash("2001:db8::1", 1), hash("2001:db8::1", 2));
  EXPECT_NE(hash("2001:db8::1", 1), hash("2001:db8::2", 1));
  EXPECT_EQ(hash("::ffff:192.0.2.7", 1), hash("192.0.2.7", 1));
}

}  // namespace
