// Why a socket never became an open connection. The numbers travel to JavaScript
// (src/engine/refusals.ts): keep in step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "reactor/endpoint.h"

namespace reactor {

enum class Refusal : std::uint8_t {
  kMaxConnections = 0,    // over max_connections
  kDescriptors = 1,       // the process had no descriptor for it
  kHandshakeTimeout = 2,  // it was not established within the handshake timeout
  kHandshakeClosed = 3,   // it ended, or broke, before it was established
  kDenied = 4,            // its address is not among those that may come in
  kMaxConnectionsPerAddress = 5,
  kAcceptRate = 6,  // more than so many a second, of all
  kAcceptRatePerAddress = 7,
  kProxyUntrusted = 8,  // a PROXY header is expected, and not from there
  kProxyHeader = 9,     // and something else came
  kTls = 10,            // its TLS handshake failed
};
inline constexpr std::size_t kRefusals = 11;

/// What a loop tells of refusals: one of them, and how many of its cause there were since it told
/// of the last.
struct RefusalReport {
  Refusal cause;
  std::uint64_t count = 0;  // this one included
  Endpoint remote;
  std::string detail;  // what was wrong; empty where the cause says it all
};

}  // namespace reactor
