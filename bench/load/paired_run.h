#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "load/exchange_run.h"
#include "load/json_line.h"
#include "load/options.h"

namespace gev::load {

// Two servers under the same load in turn, a slice of `messages` at a time, `slices` each: the
// first and its rival, then the rival and the first, and so on. What the machine does meanwhile,
// and how it drifts, touches both alike. The one that waits is at rest. One thread; may run once.
template <typename Connection>
class PairedRun {
 public:
  explicit PairedRun(const Options& options);

  // Throws LoadError like ExchangeRun.
  void Run();

  // For each server the CPU time a message of each slice, in microseconds.
  void Report(JsonLine& line) const;

 private:
  struct Side {
    ExchangeRun<Connection> run;
    std::vector<double> cpu_micros;
  };

  void MeasureSlice(Side& side);

  const Options options_;
  std::array<Side, 2> sides_;
};

extern template class PairedRun<EchoConnection>;
extern template class PairedRun<RpcConnection>;

}  // namespace gev::load
