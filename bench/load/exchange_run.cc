#include "load/exchange_run.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "load/clock.h"
#include "load/load_error.h"

namespace gev::load {
namespace {

constexpr size_t kScratchBytes = size_t{256} << 10;
constexpr size_t kEventsPerTurn = 256;
constexpr int64_t kStallNanos = 5 * kNanosPerSecond;
constexpr int kStallMillis = 5000;
constexpr int kSurplusMillis = 20;  // how long to listen for bytes nobody asked for

}  // namespace

template <typename Connection>
ExchangeRun<Connection>::ExchangeRun(const Options& options)
    : options_(options),
      target_(options.host, options.port),
      scratch_(kScratchBytes),
      content_(Connection::MakeContent(options, kScratchBytes)),
      epoll_(CreateEpoll()),
      cpu_(options.server_pid) {
  RequireDescriptors(uint64_t{options.connections} + 64);
}

template <typename Connection>
void ExchangeRun<Connection>::Run() {
  Connect();
  const int64_t started = NowNanos();
  Start();
  ExchangeUntil(started + SecondsToNanos(options_.warm_up_seconds));

  latency_.Clear();
  messages_ = 0;
  const int64_t window_start = NowNanos();
  cpu_.Begin();
  ExchangeUntil(window_start + SecondsToNanos(options_.seconds));
  window_.usage = cpu_.End();
  window_.nanos = NowNanos() - window_start;
  window_.messages = messages_;
  window_.latency = latency_;

  allowance_ = 0;
  AwaitAnswers();
  Finish();
}

template <typename Connection>
CpuUsage ExchangeRun<Connection>::Exchange(uint64_t messages) {
  cpu_.Begin();
  allowance_ = messages;
  Start();
  AwaitAnswers();
  cpu_.WaitForRest();
  return cpu_.End();
}

template <typename Connection>
void ExchangeRun<Connection>::Finish() {
  Turn(kSurplusMillis);
}

template <typename Connection>
void ExchangeRun<Connection>::Start() {
  for (Connection& connection : connections_) Send(connection, options_.depth, NowNanos());
}

template <typename Connection>
void ExchangeRun<Connection>::Connect() {
  connections_.reserve(options_.connections);
  for (uint32_t number = 0; number < options_.connections; ++number) {
    FileDescriptor socket = ConnectAndWait(target_);
    Watch(epoll_, socket.Get(), number);
    connections_.emplace_back(ConnectionSocket(std::move(socket), number), content_, options_);
  }
}

template <typename Connection>
void ExchangeRun<Connection>::ExchangeUntil(int64_t deadline) {
  int64_t last_event = NowNanos();
  for (int64_t now = last_event; now < deadline; now = NowNanos()) {
    const auto millis_left = (deadline - now) / 1'000'000 + 1;
    if (Turn(static_cast<int>(std::min<int64_t>(millis_left, kStallMillis))) > 0) {
      last_event = now;
    } else if (now - last_event > kStallNanos) {
      throw LoadError("the server has sent nothing for 5 s");
    }
  }
}

template <typename Connection>
void ExchangeRun<Connection>::AwaitAnswers() {
  int64_t last_event = NowNanos();
  while (owed_ > 0) {
    if (Turn(kStallMillis) > 0) {
      last_event = NowNanos();
    } else if (NowNanos() - last_event >= kStallNanos) {
      throw LoadError(std::to_string(OutstandingCount()) + ' ' + std::string(Connection::kUnit) +
                      " never came back");
    }
  }
}

template <typename Connection>
void ExchangeRun<Connection>::Send(Connection& connection, uint32_t messages, int64_t now) {
  const auto allowed = static_cast<uint32_t>(std::min<uint64_t>(messages, allowance_));
  if (allowed == 0) return;
  allowance_ -= allowed;
  owed_ += allowed;
  connection.Send(allowed, now);
}

template <typename Connection>
uint64_t ExchangeRun<Connection>::OutstandingCount() const {
  uint64_t count = 0;
  for (const Connection& connection : connections_) count += connection.OutstandingCount();
  return count;
}

template <typename Connection>
size_t ExchangeRun<Connection>::Turn(int timeout_millis) {
  std::array<epoll_event, kEventsPerTurn> events;
  const int count =
      ::epoll_wait(epoll_.Get(), events.data(), static_cast<int>(events.size()), timeout_millis);
  if (count < 0) {
    if (errno == EINTR) return 0;
    throw std::system_error(errno, std::generic_category(), "epoll_wait");
  }
  const auto found = static_cast<size_t>(count);
  for (const epoll_event& event : std::span(events).first(found)) Serve(event);
  return found;
}

template <typename Connection>
void ExchangeRun<Connection>::Serve(const epoll_event& event) {
  Connection& connection = connections_[event.data.u32];
  if (connection.HasUnsent()) connection.Flush();
  if ((event.events & ~static_cast<uint32_t>(EPOLLOUT)) == 0) return;
  const bool hang_up = (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  const Received received = connection.Receive(scratch_, hang_up, latency_);
  bytes_verified_ += received.bytes;
  messages_ += received.messages;
  owed_ -= received.messages;
  Send(connection, received.messages, received.now);
}

template <typename Connection>
void ExchangeRun<Connection>::Report(JsonLine& line) const {
  line.Add("connections", uint64_t{options_.connections});
  line.Add("depth", uint64_t{options_.depth});
  line.Add("bytesVerified", bytes_verified_);
  if (window_.nanos == 0) return;
  const double seconds = NanosToSeconds(window_.nanos);
  line.Add("seconds", seconds);
  line.Add("messages", window_.messages);
  line.Add("messagesPerSecond", static_cast<double>(window_.messages) / seconds);
  line.Add("p50Micros", NanosToMicros(window_.latency.Percentile(50)));
  line.Add("p90Micros", NanosToMicros(window_.latency.Percentile(90)));
  line.Add("p99Micros", NanosToMicros(window_.latency.Percentile(99)));
  line.Add("maxMicros", NanosToMicros(window_.latency.Max()));
  cpu_.Report(window_.usage, window_.nanos, window_.messages, line);
}

template class ExchangeRun<EchoConnection>;
template class ExchangeRun<RpcConnection>;

}  // namespace gev::load
