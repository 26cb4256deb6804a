// Why a connection ended. The numbers travel to JavaScript (src/core/close-reason.ts): keep in
// step.
#pragma once

#include <cstdint>

namespace reactor {

enum class CloseReason : std::uint8_t {
  kPeer = 0,          // the peer sent FIN and everything owed to it was written
  kReset = 1,         // the peer reset the connection, or it broke (ECONNRESET, EPIPE, ETIMEDOUT…)
  kIdle = 2,          // nothing was received or sent for the idle timeout
  kBackpressure = 3,  // more output waited than maxSendBuffer allows
  kProtocol = 4,      // the bytes were no valid frame, or a frame was too long or too slow
  kLimit = 5,         // over maxConnections
  kLocal = 6,         // closed by this side's application
  kShutdown = 7,      // closed because the server stops
  kError = 8,         // any other failure; an errno goes with it
  kHandshake = 9,     // it was not admitted within the handshake timeout
  kAge = 10,          // it had lasted as long as connections may
  kReplaced = 11,     // another connection has taken over what it stood for
};

}  // namespace reactor
