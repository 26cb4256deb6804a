#include "reactor/endpoint.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <span>

#include "reactor/error.h"
#include "reactor/socket_ops.h"

namespace reactor {
namespace {

template <typename SocketAddress>
Endpoint From(const SocketAddress& address, socklen_t length = sizeof(SocketAddress)) noexcept {
  sockaddr_storage storage{};
  std::memcpy(&storage, &address, sizeof address);
  return {storage, length};
}

/// The index of an interface given by name or number; 0 when it is neither.
std::uint32_t ScopeId(const std::string& scope) noexcept {
  const std::uint32_t index = ::if_nametoindex(scope.c_str());
  if (index != 0) return index;
  std::uint32_t number = 0;
  const char* const end = scope.data() + scope.size();
  const auto parsed = std::from_chars(scope.data(), end, number);
  return parsed.ec == std::errc{} && parsed.ptr == end ? number : 0;
}

/// What a message shows of an address.
std::string Shown(std::string_view text) {
  constexpr std::size_t kMost = 256;
  return std::string(text.substr(0, kMost)) + (text.size() > kMost ? "…" : "");
}

constexpr std::size_t kMappedPrefix = 12;  // ::ffff:0:0/96

std::uint64_t Fnv1a(std::span<const std::uint8_t> bytes) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

}  // namespace

// The kernel may count the NUL behind a path that fills its field.
Endpoint::Endpoint(const sockaddr_storage& address, socklen_t length) noexcept
    : length_(std::min<socklen_t>(length, sizeof address_)) {
  std::memcpy(&address_, &address, sizeof address_);
}

Endpoint Endpoint::FromAddress(const std::string& host, std::uint16_t port) {
  Endpoint out;
  const int result = ParseAddress(host, port, out);
  if (result < 0) {
    ThrowSystemError(result, "'" + Shown(host) + "' is no numeric address of a known scope");
  }
  return out;
}

Endpoint Endpoint::FromPath(std::string_view path) {
  Endpoint out;
  const int result = ParsePath(path, out);
  if (result < 0) ThrowSystemError(result, "Unix socket path '" + Shown(path) + "'");
  return out;
}

int Endpoint::ParseAddress(const std::string& host, std::uint16_t port, Endpoint& out) noexcept {
  sockaddr_in v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    out = From(v4);
    return 0;
  }
  sockaddr_in6 v6{};
  const std::size_t percent = host.find('%');
  if (::inet_pton(AF_INET6, host.substr(0, percent).c_str(), &v6.sin6_addr) != 1) return -EINVAL;
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  if (percent != std::string::npos) {
    v6.sin6_scope_id = ScopeId(host.substr(percent + 1));
    if (v6.sin6_scope_id == 0) return -EINVAL;
  }
  out = From(v6);
  return 0;
}

int Endpoint::ParsePath(std::string_view path, Endpoint& out) noexcept {
  sockaddr_un address{};
  if (path.size() >= sizeof address.sun_path) return -ENAMETOOLONG;
  address.sun_family = AF_UNIX;
  path.copy(static_cast<char*>(address.sun_path), path.size());
  out = From(address, static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1));
  return 0;
}

Endpoint Endpoint::LocalOf(int fd) noexcept {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  const int result = SocketOps::LocalAddress(fd, reinterpret_cast<sockaddr*>(&address), &length);
  return result < 0 ? Endpoint() : Endpoint(address, length);
}

Endpoint Endpoint::RemoteOf(int fd) noexcept {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  const int result = SocketOps::RemoteAddress(fd, reinterpret_cast<sockaddr*>(&address), &length);
  return result < 0 ? Endpoint() : Endpoint(address, length);
}

bool Endpoint::is_mapped_ipv4() const noexcept {
  if (family() != AF_INET6) return false;
  return IN6_IS_ADDR_V4MAPPED(&address_.v6.sin6_addr);
}

std::uint16_t Endpoint::port() const noexcept {
  if (family() == AF_INET) return ntohs(address_.v4.sin_port);
  if (family() == AF_INET6) return ntohs(address_.v6.sin6_port);
  return 0;
}

std::string Endpoint::host() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (family() == AF_INET) {
    return ::inet_ntop(AF_INET, &address_.v4.sin_addr, text.data(), text.size());
  }
  if (family() == AF_INET6) {
    const in6_addr& address = address_.v6.sin6_addr;
    if (is_mapped_ipv4()) {
      return ::inet_ntop(AF_INET, &address.s6_addr[kMappedPrefix], text.data(), text.size());
    }
    return ::inet_ntop(AF_INET6, &address, text.data(), text.size()) + Scope();
  }
  if (is_unix() && length_ > offsetof(sockaddr_un, sun_path)) {
    const auto* path = static_cast<const char*>(address_.path.sun_path);
    return {path, ::strnlen(path, length_ - offsetof(sockaddr_un, sun_path))};
  }
  return {};
}

std::optional<Address> Endpoint::address() const noexcept {
  Address out{};
  if (family() == AF_INET) {
    out[kMappedPrefix - 2] = out[kMappedPrefix - 1] = 0xff;
    std::memcpy(&out[kMappedPrefix], &address_.v4.sin_addr, sizeof address_.v4.sin_addr);
  } else if (family() == AF_INET6) {
    std::memcpy(out.data(), &address_.v6.sin6_addr, out.size());
  } else {
    return std::nullopt;
  }
  return out;
}

// A link-local address means nothing without the interface it is on.
std::string Endpoint::Scope() const {
  const std::uint32_t index = address_.v6.sin6_scope_id;
  if (index == 0) return {};
  std::array<char, IF_NAMESIZE> name{};
  return ::if_indextoname(index, name.data()) != nullptr ? "%" + std::string(name.data())
                                                         : "%" + std::to_string(index);
}

std::uint64_t Endpoint::HostHash() const noexcept {
  if (family() == AF_INET) {
    const auto address = address_.v4.sin_addr.s_addr;
    std::array<std::uint8_t, sizeof address> bytes{};
    std::memcpy(bytes.data(), &address, sizeof address);
    return Fnv1a(bytes);
  }
  if (family() == AF_INET6) {
    const in6_addr& address = address_.v6.sin6_addr;
    const std::span<const std::uint8_t> bytes(&address.s6_addr[0], sizeof address.s6_addr);
    return Fnv1a(is_mapped_ipv4() ? bytes.subspan(kMappedPrefix) : bytes);
  }
  return 0;
}

}  // namespace reactor
