#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>

#include "load/json_line.h"

namespace gev::load {

// CPU time in nanoseconds, as differences over the measured window.
struct CpuUsage {
  int64_t server_nanos = 0;       // every thread of the server, ended ones included
  int64_t main_thread_nanos = 0;  // its main thread: the JavaScript thread of a Node server
  int64_t generator_nanos = 0;
  int64_t generator_waited_nanos = 0;  // ready to run while others had the core
  int64_t server_core_idle_nanos = 0;  // in steps of 10 ms; 0 when the server is not pinned
};

// Reads the CPU clocks of the server and of this process, without a part of its own in the server's
// figures.
class CpuSampler {
 public:
  // `server` 0: the server's figures stay 0. Throws std::system_error for a process that is not
  // there.
  explicit CpuSampler(pid_t server);

  [[nodiscard]] bool HasServer() const { return server_ != 0; }
  // Waits until the server has been at rest for 2 ms, at most 50 ms: until it has closed, compiled
  // and collected what there was.
  void WaitForRest() const;
  void Begin() { begin_ = Read(); }
  // What was used since Begin().
  [[nodiscard]] CpuUsage End() const;

  // Adds the figures to a report: per message (or connection) in microseconds, and shares of the
  // window: how busy each process was, and how much of it went to processes outside of the run.
  void Report(const CpuUsage& usage, int64_t window_nanos, uint64_t count, JsonLine& line) const;

 private:
  [[nodiscard]] CpuUsage Read() const;

  pid_t server_;
  int server_core_ = -1;  // -1: not pinned to one
  clockid_t server_clock_ = 0;
  CpuUsage begin_;
};

// Throws std::runtime_error unless this process may run on exactly that one core.
void RequirePinnedTo(int cpu);

}  // namespace gev::load
