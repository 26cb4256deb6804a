#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "reactor/address_ranges.h"

namespace reactor {

/// A socket address: IPv4, IPv6 or a Unix-domain path. A value; no name resolution.
class Endpoint {
 public:
  Endpoint() noexcept = default;
  Endpoint(const sockaddr_storage& address, socklen_t length) noexcept;

  /// `host` is a numeric IPv4 or IPv6 address (a scope such as %eth0 or %2
  /// allowed). Throws std::system_error (EINVAL) when it is neither, or the scope is unknown.
  static Endpoint FromAddress(const std::string& host, std::uint16_t port);
  /// Throws std::system_error (ENAMETOOLONG) when the path does not fit a sockaddr_un.
  static Endpoint FromPath(std::string_view path);
  /// The same without exceptions, for loop threads: 0, or -errno and `out` untouched.
  static int ParseAddress(const std::string& host, std::uint16_t port, Endpoint& out) noexcept;
  static int ParsePath(std::string_view path, Endpoint& out) noexcept;
  /// The address a bound or connected descriptor has on this side.
  static Endpoint LocalOf(int fd) noexcept;
  /// The address of a connected descriptor's peer.
  static Endpoint RemoteOf(int fd) noexcept;

  [[nodiscard]] sa_family_t family() const noexcept { return address_.any.sa_family; }
  [[nodiscard]] bool is_unix() const noexcept { return family() == AF_UNIX; }
  [[nodiscard]] const sockaddr* data() const noexcept { return &address_.any; }
  [[nodiscard]] socklen_t length() const noexcept { return length_; }
  /// Host byte order; 0 for Unix sockets.
  [[nodiscard]] std::uint16_t port() const noexcept;
  /// "127.0.0.1", "::1" (an IPv4 peer of a dual-stack listener as IPv4), "fe80::1%eth0", or the
  /// path.
  [[nodiscard]] std::string host() const;
  /// The address without its port, an IPv4 one in its mapped form; empty for Unix sockets.
  [[nodiscard]] std::optional<Address> address() const noexcept;
  /// Equal for all connections of one client address, whatever its port.
  [[nodiscard]] std::uint64_t HostHash() const noexcept;

 private:
  [[nodiscard]] bool is_mapped_ipv4() const noexcept;
  [[nodiscard]] std::string Scope() const;  // of an IPv6 address: "%eth0", or empty

  /// What fits the largest of the three: sockaddr_storage takes more.
  union SocketAddress {
    sockaddr_un path;  // first: the largest, so that all of it is zero at the beginning
    sockaddr_in6 v6;
    sockaddr_in v4;
    sockaddr any;
  };

  SocketAddress address_{};
  socklen_t length_ = 0;
};

}  // namespace reactor
