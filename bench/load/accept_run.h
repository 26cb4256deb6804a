#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <string>
#include <vector>

#include "load/cpu_usage.h"
#include "load/file_descriptor.h"
#include "load/json_line.h"
#include "load/latency_histogram.h"
#include "load/options.h"
#include "load/socket.h"

namespace gev::load {

// The accept workload: dials all connections at once, sends one byte on each as soon as it is
// connected, and counts it as accepted when that byte has come back: the server has then not only
// queued but served it. One thread; may run once.
class AcceptRun {
 public:
  explicit AcceptRun(const Options& options);

  // Ends when each connection is served or has failed, or at the deadline. Throws LoadError when a
  // byte is wrong.
  void Run();

  void Report(JsonLine& line) const;

 private:
  enum class State : uint8_t { kConnecting, kWaiting, kServed, kFailed };
  struct Dial {
    FileDescriptor socket;
    int64_t started = 0;
    State state = State::kConnecting;
  };

  // Everything that can be done before the clock starts.
  void OpenAll();
  void DialAll();
  void ServeUntil(int64_t deadline);
  void Serve(uint32_t index);
  void SendByte(uint32_t index);
  void ReceiveByte(uint32_t index);
  void Fail(Dial& dial, int error);

  const Options options_;
  const Target target_;
  FileDescriptor epoll_;
  CpuSampler cpu_;
  std::vector<Dial> dials_;

  LatencyHistogram latency_;  // from connect() to the echoed byte
  uint64_t served_ = 0;
  uint64_t failed_ = 0;
  std::string first_failure_;
  int64_t started_ = 0;
  int64_t dialled_ = 0;  // when the last connect() had been called
  int64_t last_served_ = 0;
  CpuUsage usage_;
};

}  // namespace gev::load
