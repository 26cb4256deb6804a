#pragma once

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "load/cpu_usage.h"
#include "load/echo_connection.h"
#include "load/file_descriptor.h"
#include "load/json_line.h"
#include "load/latency_histogram.h"
#include "load/options.h"
#include "load/rpc_connection.h"
#include "load/socket.h"

namespace gev::load {

// A workload in which every connection keeps `depth` messages outstanding: each that is answered is
// followed by the next. Warm-up, measured window, then a drain in which an answer to all that was
// sent must come, and nothing else. What a message is, and what answers it, is the connection's
// business: EchoConnection or RpcConnection. One thread; may run once, or be driven step by step:
// Connect(), Exchange() as often as wanted, Finish().
template <typename Connection>
class ExchangeRun {
 public:
  explicit ExchangeRun(const Options& options);

  // Each of these throws LoadError when a byte is wrong, missing or too many, or the server stalls
  // for 5 s.

  void Run();

  void Connect();
  void WaitForRest() const { cpu_.WaitForRest(); }
  // Exchanges `messages` from rest to rest, and returns the CPU time that they took: all of it, and
  // nothing else of the server's.
  CpuUsage Exchange(uint64_t messages);
  // Listens for bytes that nobody asked for.
  void Finish();

  // Also after a failed run: what had been measured by then.
  void Report(JsonLine& line) const;

 private:
  static constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

  // Sends the first messages of each connection, as far as `allowance_` goes.
  void Start();
  // Exchanges messages until `deadline`.
  void ExchangeUntil(int64_t deadline);
  // Waits until all that was sent has been answered, and what `allowance_` still lets follow it.
  void AwaitAnswers();
  [[nodiscard]] uint64_t OutstandingCount() const;
  // One wait of at most `timeout_millis` and everything it found. Returns the number of events.
  size_t Turn(int timeout_millis);
  void Serve(const epoll_event& event);
  // Sends `messages`, or as many of them as `allowance_` has left.
  void Send(Connection& connection, uint32_t messages, int64_t now);

  const Options options_;
  const Target target_;
  std::vector<char> scratch_;
  const typename Connection::Content content_;
  FileDescriptor epoll_;
  std::vector<Connection> connections_;
  CpuSampler cpu_;

  uint64_t allowance_ = kUnlimited;  // messages that may still be sent
  uint64_t owed_ = 0;                // messages sent and not answered
  uint64_t bytes_verified_ = 0;      // in the whole run
  uint64_t messages_ = 0;            // since the warm-up
  LatencyHistogram latency_;         // since the warm-up

  // The measured window, once it has ended.
  struct Window {
    int64_t nanos = 0;
    uint64_t messages = 0;
    LatencyHistogram latency;
    CpuUsage usage;
  };
  Window window_;
};

extern template class ExchangeRun<EchoConnection>;
extern template class ExchangeRun<RpcConnection>;

using EchoRun = ExchangeRun<EchoConnection>;
using RpcRun = ExchangeRun<RpcConnection>;

}  // namespace gev::load
