// What goes wrong inside the mock kernel, and who decides it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>

namespace test {

/// The system calls of the SocketOps seam, by kind.
enum class Call : std::uint8_t {
  kSocket,
  kBind,
  kListen,
  kAccept,
  kConnect,
  kReceive,
  kPeek,
  kSend,
  kUnacknowledged,
  kShutdown,
  kClose,
  kSetOption,
  kGetOption,
  kLocalAddress,
  kRemoteAddress,
  kOpenSpare,
  kUnlink,
  kStat,
  kEpollCreate,
  kEpollControl,
  kEpollWait,
  kEventFd,
  kCount_,
};

/// Asked before every call: random numbers in a test, the input in a fuzzer.
class FaultSource {
 public:
  virtual ~FaultSource() = default;
  /// An errno to fail `call` with, or 0.
  virtual int ErrorFor(Call call) = 0;
  /// How many of `size` (>= 1) bytes a read or write moves: 1 … size.
  virtual std::size_t Limit(Call call, std::size_t size) = 0;
};

/// Faults with a seed. Rates are chances in a thousand calls.
class RandomFaults final : public FaultSource {
 public:
  struct Rates {
    unsigned interrupted = 0;    // EINTR: accept, recv, send, epoll_wait
    unsigned would_block = 0;    // EAGAIN: recv, send
    unsigned short_io = 0;       // a part of what was possible
    unsigned no_memory = 0;      // ENOBUFS, ENOMEM: accept, recv, send
    unsigned no_descriptor = 0;  // EMFILE, ENFILE: accept
    unsigned aborted = 0;        // ECONNABORTED: accept
    unsigned broken = 0;         // ECONNRESET: recv; EPIPE: send
  };

  RandomFaults(std::uint64_t seed, const Rates& rates) : random_(seed), rates_(rates) {}

  int ErrorFor(Call call) override;
  std::size_t Limit(Call call, std::size_t size) override;

 private:
  bool Chance(unsigned per_thousand) { return random_() % 1000 < per_thousand; }

  std::mt19937_64 random_;
  Rates rates_;
};

}  // namespace test
