#include "load/cpu_usage.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include "load/clock.h"

namespace gev::load {
namespace {

constexpr std::chrono::milliseconds kRest{2};
constexpr int64_t kMaxRestWaitNanos = 50'000'000;

struct ThreadTimes {
  int64_t running_nanos = 0;
  int64_t waiting_nanos = 0;  // ready to run, but another had the core
};

// /proc/<pid>/task/<tid>/schedstat. The kernel brings it up to date at each scheduling decision and
// timer tick, so it may lag by one tick.
ThreadTimes ReadThreadTimes(pid_t process, pid_t thread) {
  const std::string path =
      "/proc/" + std::to_string(process) + "/task/" + std::to_string(thread) + "/schedstat";
  std::ifstream file(path);
  ThreadTimes times;
  if (!(file >> times.running_nanos >> times.waiting_nanos)) {
    throw std::runtime_error("cannot read " + path);
  }
  return times;
}

// What a core had nothing to do, from /proc/stat: the rest went to somebody, or to the host.
int64_t ReadIdleNanos(int core) {
  const std::string wanted = "cpu" + std::to_string(core);
  const int64_t nanos_per_tick = kNanosPerSecond / ::sysconf(_SC_CLK_TCK);
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string name;
    int64_t user = 0;
    int64_t nice = 0;
    int64_t system = 0;
    int64_t idle = 0;
    int64_t io_wait = 0;
    if (fields >> name >> user >> nice >> system >> idle >> io_wait && name == wanted) {
      return (idle + io_wait) * nanos_per_tick;
    }
  }
  throw std::runtime_error("no " + wanted + " in /proc/stat");
}

cpu_set_t AllowedCores(pid_t process) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(process, sizeof(allowed), &allowed) != 0) {
    throw std::system_error(errno, std::generic_category(), "sched_getaffinity");
  }
  return allowed;
}

int OnlyCoreOf(pid_t process) {
  const cpu_set_t allowed = AllowedCores(process);
  if (CPU_COUNT(&allowed) != 1) return -1;
  int core = 0;
  while (!CPU_ISSET(static_cast<size_t>(core), &allowed)) ++core;
  return core;
}

}  // namespace

CpuSampler::CpuSampler(pid_t server) : server_(server) {
  if (server_ == 0) return;
  const int error = ::clock_getcpuclockid(server_, &server_clock_);
  if (error != 0) {
    throw std::system_error(error, std::generic_category(),
                            "no CPU clock of process " + std::to_string(server_));
  }
  server_core_ = OnlyCoreOf(server_);
  Begin();  // fails here rather than in the middle of a run
}

void CpuSampler::WaitForRest() const {
  if (!HasServer()) return;
  const int64_t deadline = NowNanos() + kMaxRestWaitNanos;
  int64_t used = ReadClockNanos(server_clock_);
  while (NowNanos() < deadline) {
    std::this_thread::sleep_for(kRest);
    const int64_t now = ReadClockNanos(server_clock_);
    if (now == used) return;
    used = now;
  }
}

CpuUsage CpuSampler::Read() const {
  CpuUsage now;
  now.generator_nanos = ReadClockNanos(CLOCK_PROCESS_CPUTIME_ID);
  now.generator_waited_nanos = ReadThreadTimes(::getpid(), ::getpid()).waiting_nanos;
  if (HasServer()) {
    now.server_nanos = ReadClockNanos(server_clock_);
    now.main_thread_nanos = ReadThreadTimes(server_, server_).running_nanos;
    if (server_core_ >= 0) now.server_core_idle_nanos = ReadIdleNanos(server_core_);
  }
  return now;
}

CpuUsage CpuSampler::End() const {
  const CpuUsage now = Read();
  return {.server_nanos = now.server_nanos - begin_.server_nanos,
          .main_thread_nanos = now.main_thread_nanos - begin_.main_thread_nanos,
          .generator_nanos = now.generator_nanos - begin_.generator_nanos,
          .generator_waited_nanos = now.generator_waited_nanos - begin_.generator_waited_nanos,
          .server_core_idle_nanos = now.server_core_idle_nanos - begin_.server_core_idle_nanos};
}

void CpuSampler::Report(const CpuUsage& usage, int64_t window_nanos, uint64_t count,
                        JsonLine& line) const {
  const auto micros_each = [count](int64_t nanos) {
    return NanosToMicros(nanos) / static_cast<double>(count);
  };
  const auto share = [window_nanos](int64_t nanos) {
    return static_cast<double>(nanos) / static_cast<double>(window_nanos);
  };
  if (HasServer()) {
    line.Add("serverCpuMicros", micros_each(usage.server_nanos));
    line.Add("mainThreadCpuMicros", micros_each(usage.main_thread_nanos));
    line.Add("serverBusy", share(usage.server_nanos));
    if (server_core_ >= 0) {
      const int64_t known = usage.server_nanos + usage.server_core_idle_nanos;
      line.Add("serverCoreForeign", share(std::max<int64_t>(window_nanos - known, 0)));
    }
  }
  line.Add("generatorBusy", share(usage.generator_nanos));
  line.Add("generatorWaited", share(usage.generator_waited_nanos));
}

void RequirePinnedTo(int cpu) {
  const cpu_set_t allowed = AllowedCores(0);
  if (CPU_COUNT(&allowed) != 1 || !CPU_ISSET(static_cast<size_t>(cpu), &allowed)) {
    throw std::runtime_error("not pinned to core " + std::to_string(cpu) +
                             " alone: start it with taskset -c " + std::to_string(cpu));
  }
}

}  // namespace gev::load
