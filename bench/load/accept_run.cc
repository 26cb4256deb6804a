#include "load/accept_run.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <span>
#include <system_error>

#include "load/clock.h"
#include "load/load_error.h"

namespace gev::load {
namespace {

constexpr size_t kEventsPerTurn = 512;
constexpr int64_t kTurnMillis = 100;

char ByteOf(uint32_t index) { return static_cast<char>((index * 167 + 13) & 0xffU); }

}  // namespace

AcceptRun::AcceptRun(const Options& options)
    : options_(options),
      target_(options.host, options.port),
      epoll_(CreateEpoll()),
      cpu_(options.server_pid),
      dials_(options.connections) {
  RequireDescriptors(uint64_t{options.connections} + 64);
}

void AcceptRun::Run() {
  OpenAll();
  cpu_.Begin();
  DialAll();
  ServeUntil(started_ + SecondsToNanos(options_.seconds));
  usage_ = cpu_.End();
  for (const Dial& dial : dials_) {
    if (dial.socket.IsOpen()) ResetOnClose(dial.socket.Get());
  }
}

void AcceptRun::OpenAll() {
  for (uint32_t index = 0; index < dials_.size(); ++index) {
    dials_[index].socket = OpenSocket(target_);
    Watch(epoll_, dials_[index].socket.Get(), index);
  }
  // An unconnected socket reports a hang-up once; these reports must not be taken for lost dials.
  std::array<epoll_event, kEventsPerTurn> stale;
  while (::epoll_wait(epoll_.Get(), stale.data(), static_cast<int>(stale.size()), 0) > 0) {
  }
}

void AcceptRun::DialAll() {
  started_ = NowNanos();
  for (uint32_t index = 0; index < dials_.size(); ++index) {
    Dial& dial = dials_[index];
    dial.started = NowNanos();
    const int error = StartConnecting(dial.socket.Get(), target_);
    if (error != 0) {
      Fail(dial, error);
    } else {
      SendByte(index);  // on loopback the handshake is often complete by now
    }
  }
  dialled_ = NowNanos();
}

void AcceptRun::ServeUntil(int64_t deadline) {
  std::array<epoll_event, kEventsPerTurn> events;
  while (served_ + failed_ < dials_.size()) {
    const int64_t millis_left = (deadline - NowNanos()) / 1'000'000;
    if (millis_left <= 0) return;
    const int count = ::epoll_wait(epoll_.Get(), events.data(), static_cast<int>(events.size()),
                                   static_cast<int>(std::min(millis_left, kTurnMillis)));
    if (count < 0) {
      if (errno == EINTR) continue;
      throw std::system_error(errno, std::generic_category(), "epoll_wait");
    }
    for (const epoll_event& event : std::span(events).first(static_cast<size_t>(count))) {
      Serve(event.data.u32);
    }
  }
}

void AcceptRun::Serve(uint32_t index) {
  if (dials_[index].state == State::kConnecting) SendByte(index);
  if (dials_[index].state == State::kWaiting) ReceiveByte(index);
}

void AcceptRun::SendByte(uint32_t index) {
  Dial& dial = dials_[index];
  const char byte = ByteOf(index);
  if (::send(dial.socket.Get(), &byte, 1, MSG_NOSIGNAL) == 1) {
    dial.state = State::kWaiting;
  } else if (errno != EAGAIN) {  // EAGAIN: still connecting
    Fail(dial, errno);
  }
}

void AcceptRun::ReceiveByte(uint32_t index) {
  Dial& dial = dials_[index];
  std::array<char, 16> bytes = {};
  const ssize_t count = ::recv(dial.socket.Get(), bytes.data(), bytes.size(), 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) return Fail(dial, count == 0 ? ECONNRESET : errno);
  if (count != 1 || bytes[0] != ByteOf(index)) {
    throw LoadError("connection " + std::to_string(index) + ": not the byte that was sent");
  }
  last_served_ = NowNanos();
  latency_.Record(last_served_ - dial.started);
  dial.state = State::kServed;
  ++served_;
}

void AcceptRun::Fail(Dial& dial, int error) {
  dial.state = State::kFailed;
  ResetOnClose(dial.socket.Get());
  dial.socket.Reset();
  ++failed_;
  if (first_failure_.empty()) first_failure_ = DescribeErrno(error);
}

void AcceptRun::Report(JsonLine& line) const {
  line.Add("connections", uint64_t{options_.connections});
  line.Add("served", served_);
  line.Add("failed", failed_);
  line.Add("timedOut", dials_.size() - served_ - failed_);
  if (!first_failure_.empty()) line.Add("firstFailure", first_failure_);
  if (served_ == 0) return;
  const int64_t took = last_served_ - started_;
  line.Add("dialSeconds", NanosToSeconds(dialled_ - started_));
  line.Add("seconds", NanosToSeconds(took));
  line.Add("connectionsPerSecond", static_cast<double>(served_) / NanosToSeconds(took));
  line.Add("p50Micros", NanosToMicros(latency_.Percentile(50)));
  line.Add("p90Micros", NanosToMicros(latency_.Percentile(90)));
  line.Add("p99Micros", NanosToMicros(latency_.Percentile(99)));
  line.Add("maxMicros", NanosToMicros(latency_.Max()));
  cpu_.Report(usage_, took, served_, line);
}

}  // namespace gev::load
