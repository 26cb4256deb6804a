// gev_load: a verifying load generator. One thread, one run, one line of JSON on stdout.

#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "load/accept_run.h"
#include "load/cpu_usage.h"
#include "load/exchange_run.h"
#include "load/json_line.h"
#include "load/load_error.h"
#include "load/options.h"
#include "load/paired_run.h"

namespace gev::load {
namespace {

constexpr int kVoid = 1;
constexpr int kWrongOptions = 2;

// Runs the workload and prints its report, with the reason when the run is void.
template <typename Workload>
int Execute(const Options& options, std::string_view mode) {
  JsonLine line;
  line.Add("mode", mode);
  Workload workload(options);
  std::string error;
  try {
    workload.Run();
  } catch (const LoadError& problem) {
    error = problem.what();
  }
  workload.Report(line);
  line.Add("errors", uint64_t{error.empty() ? 0U : 1U});
  if (!error.empty()) line.Add("error", error);
  std::cout << line.Text() << '\n' << std::flush;
  return error.empty() ? 0 : kVoid;
}

int Main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--help") {
    std::cout << Usage();
    return 0;
  }
  try {
    const Options options = ParseOptions(argc, argv);
    if (options.cpu >= 0) RequirePinnedTo(options.cpu);
    switch (options.mode) {
      case Mode::kEcho:
        return options.rival_port == 0 ? Execute<EchoRun>(options, "echo")
                                       : Execute<PairedRun<EchoConnection>>(options, "echo");
      case Mode::kRpc:
        return options.rival_port == 0 ? Execute<RpcRun>(options, "rpc")
                                       : Execute<PairedRun<RpcConnection>>(options, "rpc");
      case Mode::kAccept:
        return Execute<AcceptRun>(options, "accept");
    }
    return kWrongOptions;
  } catch (const std::invalid_argument& problem) {
    std::cerr << "gev_load: " << problem.what() << '\n';
    return kWrongOptions;
  } catch (const std::exception& problem) {
    std::cerr << "gev_load: " << problem.what() << '\n';
    return kVoid;
  }
}

}  // namespace
}  // namespace gev::load

int main(int argc, char** argv) { return gev::load::Main(argc, argv); }
