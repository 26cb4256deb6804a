#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace gev::load {

enum class Mode : uint8_t { kEcho, kRpc, kAccept };

// What stands around the content of an echoed message: nothing, '\n' behind it, or its length in
// four bytes, network order, in front of it.
enum class Framing : uint8_t { kNone, kLine, kLength };

// Bytes that a framing puts around each message.
constexpr uint32_t EnvelopeBytes(Framing framing) {
  return framing == Framing::kNone ? 0 : framing == Framing::kLine ? 1 : 4;
}

// What the command line asks for. Every number is bounded, so every run ends.
struct Options {
  Mode mode = Mode::kEcho;
  std::string host = "127.0.0.1";  // loopback only
  uint16_t port = 0;
  uint32_t connections = 64;
  uint32_t depth = 1;                // outstanding messages a connection
  uint32_t size = 64;                // echo: bytes of a message's content
  Framing framing = Framing::kNone;  // echo
  double warm_up_seconds = 1;        // echo, rpc: not measured
  double seconds = 2;                // echo, rpc: the measured window; accept: the deadline
  bool string_pattern = false;       // rpc: 'sum-of-five' instead of { cmd: 'sum' }
  pid_t server_pid = 0;              // whose CPU time is sampled; 0: nobody's
  uint16_t rival_port = 0;           // echo, rpc: loaded in turn with `port`; 0: nobody
  pid_t rival_pid = 0;
  uint32_t slices = 1;    // with a rival: how often each is loaded
  uint64_t messages = 1;  // with a rival: messages of a slice
  int cpu = -1;           // the core this process must be pinned to; -1: not checked

  // echo: of a message, what stands around its content included
  [[nodiscard]] uint32_t MessageBytes() const { return size + EnvelopeBytes(framing); }
  [[nodiscard]] size_t BytesOutstanding() const { return size_t{depth} * MessageBytes(); }
};

// Throws std::invalid_argument, with a message that names the option.
Options ParseOptions(int argc, char** argv);

// The text of --help.
const char* Usage();

}  // namespace gev::load
