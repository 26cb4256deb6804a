#include "load/options.h"

#include <charconv>
#include <limits>
#include <map>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace gev::load {
namespace {

constexpr uint32_t kMaxConnections = 60'000;
constexpr uint32_t kMaxDepth = 4096;
constexpr uint32_t kMaxSize = 1 << 20;
constexpr uint32_t kMaxFramedSize = 4096;  // the pattern holds a thousand of them
constexpr size_t kMaxBytesOutstanding = size_t{16} << 20;
constexpr double kMaxSeconds = 120;
constexpr uint32_t kMaxSlices = 1000;
constexpr uint64_t kMaxMessages = 100'000'000;

template <typename Number>
Number ParseNumber(const std::string& name, std::string_view text, Number lowest, Number highest) {
  Number value{};
  const char* begin = text.data();
  const char* end = begin + text.size();
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (error != std::errc{} || stop != end || !(value >= lowest && value <= highest)) {
    throw std::invalid_argument("--" + name + ": '" + std::string(text) +
                                "' is not a number from " + std::to_string(lowest) + " to " +
                                std::to_string(highest));
  }
  return value;
}

std::map<std::string, std::string> SplitArguments(int argc, char** argv) {
  std::map<std::string, std::string> values;
  for (int index = 1; index < argc; ++index) {
    const std::string_view argument = argv[index];
    const size_t equals = argument.find('=');
    if (!argument.starts_with("--") || equals == std::string_view::npos) {
      throw std::invalid_argument("expected --name=value, not '" + std::string(argument) + "'");
    }
    values.emplace(argument.substr(2, equals - 2), argument.substr(equals + 1));
  }
  return values;
}

Mode ParseMode(std::string_view text) {
  if (text == "echo") return Mode::kEcho;
  if (text == "rpc") return Mode::kRpc;
  if (text == "accept") return Mode::kAccept;
  throw std::invalid_argument("--mode: '" + std::string(text) + "' is not echo, rpc or accept");
}

Framing ParseFraming(std::string_view text) {
  if (text == "none") return Framing::kNone;
  if (text == "line") return Framing::kLine;
  if (text == "length") return Framing::kLength;
  throw std::invalid_argument("--framing: '" + std::string(text) + "' is not none, line or length");
}

}  // namespace

Options ParseOptions(int argc, char** argv) {
  Options options;
  for (const auto& [name, value] : SplitArguments(argc, argv)) {
    if (name == "mode") {
      options.mode = ParseMode(value);
    } else if (name == "host") {
      options.host = value;
    } else if (name == "port") {
      options.port = ParseNumber<uint16_t>(name, value, 1, std::numeric_limits<uint16_t>::max());
    } else if (name == "connections") {
      options.connections = ParseNumber<uint32_t>(name, value, 1, kMaxConnections);
    } else if (name == "depth") {
      options.depth = ParseNumber<uint32_t>(name, value, 1, kMaxDepth);
    } else if (name == "pattern") {
      if (value != "string" && value != "object") {
        throw std::invalid_argument("--pattern: '" + std::string(value) +
                                    "' is not string or object");
      }
      options.string_pattern = value == "string";
    } else if (name == "size") {
      options.size = ParseNumber<uint32_t>(name, value, 1, kMaxSize);
    } else if (name == "framing") {
      options.framing = ParseFraming(value);
    } else if (name == "warm-up") {
      options.warm_up_seconds = ParseNumber<double>(name, value, 0, kMaxSeconds);
    } else if (name == "seconds") {
      options.seconds = ParseNumber<double>(name, value, 0.01, kMaxSeconds);
    } else if (name == "server-pid") {
      options.server_pid = ParseNumber<pid_t>(name, value, 1, std::numeric_limits<pid_t>::max());
    } else if (name == "rival-port") {
      options.rival_port =
          ParseNumber<uint16_t>(name, value, 1, std::numeric_limits<uint16_t>::max());
    } else if (name == "rival-pid") {
      options.rival_pid = ParseNumber<pid_t>(name, value, 1, std::numeric_limits<pid_t>::max());
    } else if (name == "slices") {
      options.slices = ParseNumber<uint32_t>(name, value, 1, kMaxSlices);
    } else if (name == "messages") {
      options.messages = ParseNumber<uint64_t>(name, value, 1, kMaxMessages);
    } else if (name == "cpu") {
      options.cpu = ParseNumber<int>(name, value, 0, 4095);
    } else {
      throw std::invalid_argument("--" + name + " is not an option; see --help");
    }
  }
  if (options.port == 0) throw std::invalid_argument("--port is required");
  if (options.framing != Framing::kNone && options.size > kMaxFramedSize) {
    throw std::invalid_argument("--size: framed messages have up to 4096 bytes");
  }
  if (options.BytesOutstanding() > kMaxBytesOutstanding) {
    throw std::invalid_argument("--depth times --size is over 16 MiB a connection");
  }
  return options;
}

const char* Usage() {
  return "gev_load --port=N [--name=value ...]: a verifying load generator, one thread\n"
         "  --mode=MODE          echo, rpc: exchange messages for a while; accept: dial many at "
         "once"
         " (echo)\n"
         "  --host=ADDRESS       a loopback address, IPv4 or IPv6 (127.0.0.1)\n"
         "  --connections=N      (64)\n"
         "  --depth=N            echo, rpc: outstanding messages a connection (1)\n"
         "  --size=BYTES         echo: bytes of a message's content (64)\n"
         "  --framing=FRAMING    echo: none; line: text with '\\n' behind it; length: bytes with "
         "their number\n"
         "                       in front, 4 bytes in network order (none)\n"
         "  --warm-up=SECONDS    echo, rpc: not measured (1)\n"
         "  --seconds=SECONDS    echo, rpc: measured window; accept: deadline (2)\n"
         "  --server-pid=PID     sample the CPU time of this process around the window\n"
         "  --rival-port=N       echo, rpc: a second server, loaded in turn with the first\n"
         "  --rival-pid=PID      its process\n"
         "  --slices=N           with a rival: how often each is loaded (1)\n"
         "  --messages=N         with a rival: messages of a slice (1)\n"
         "  --cpu=N              fail unless pinned to exactly this core\n"
         "Prints one line of JSON. Exit code 0: every byte was verified; 1: the run is void;\n"
         "2: wrong options.\n";
}

}  // namespace gev::load
