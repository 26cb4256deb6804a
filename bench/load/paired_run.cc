#include "load/paired_run.h"

#include "load/clock.h"

namespace gev::load {
namespace {

Options RivalOf(Options options) {
  options.port = options.rival_port;
  options.server_pid = options.rival_pid;
  return options;
}

}  // namespace

template <typename Connection>
PairedRun<Connection>::PairedRun(const Options& options)
    : options_(options),
      sides_{Side{.run = ExchangeRun<Connection>(options), .cpu_micros = {}},
             Side{.run = ExchangeRun<Connection>(RivalOf(options)), .cpu_micros = {}}} {}

template <typename Connection>
void PairedRun<Connection>::Run() {
  for (Side& side : sides_) side.run.Connect();
  for (const Side& side : sides_) side.run.WaitForRest();
  for (uint32_t slice = 0; slice < options_.slices; ++slice) {
    const size_t first = slice % 2;
    MeasureSlice(sides_[first]);
    MeasureSlice(sides_[1 - first]);
  }
  for (Side& side : sides_) side.run.Finish();
}

template <typename Connection>
void PairedRun<Connection>::MeasureSlice(Side& side) {
  const CpuUsage usage = side.run.Exchange(options_.messages);
  side.cpu_micros.push_back(NanosToMicros(usage.server_nanos) /
                            static_cast<double>(options_.messages));
}

template <typename Connection>
void PairedRun<Connection>::Report(JsonLine& line) const {
  line.Add("messages", options_.messages);
  line.Add("cpuMicros", sides_[0].cpu_micros);
  line.Add("rivalCpuMicros", sides_[1].cpu_micros);
}

template class PairedRun<EchoConnection>;
template class PairedRun<RpcConnection>;

}  // namespace gev::load
