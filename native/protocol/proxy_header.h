#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "reactor/endpoint.h"

namespace protocol {

/// Which versions of the PROXY protocol are spoken; bits.
enum ProxyVersions : std::uint8_t { kProxyV1 = 1, kProxyV2 = 2 };

/// Bytes of a header's addresses and TLVs, at most.
inline constexpr std::size_t kMaxProxyPayload = 4096;

/// What a proxy says in front of a connection's bytes, or that it does not.
struct ProxyHeader {
  enum class Status : std::uint8_t { kIncomplete, kInvalid, kComplete };

  Status status = Status::kIncomplete;
  std::size_t length = 0;  // of all of it, when complete
  std::uint8_t version = 0;
  /// Of the client; empty: the connection is the proxy's own, or it does not know whose.
  std::optional<reactor::Endpoint> source;
  std::optional<reactor::Endpoint> destination;  // that the client connected to
  std::span<const std::byte> tlvs;               // of version 2, within `bytes`
  const char* problem = nullptr;                 // when invalid
};

/// Reads a header at the start of `bytes`, by haproxy's proxy-protocol.txt. Looks at no byte behind
/// it.
ProxyHeader ReadProxyHeader(std::span<const std::byte> bytes, ProxyVersions versions);

}  // namespace protocol
