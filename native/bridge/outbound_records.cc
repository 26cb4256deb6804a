#include "bridge/outbound_records.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "reactor/endpoint.h"

namespace bridge {
namespace {

using reactor::Connection;

constexpr double kLongestMilliseconds = 0x7fffffff;  // MAX_DELAY of src/core/constants.ts

reactor::Nanoseconds FromMillisecondsAsDouble(const std::byte* number) noexcept {
  double milliseconds = 0;
  std::memcpy(&milliseconds, number, sizeof milliseconds);
  // Of NaN, and of what does not fit, the conversion is undefined.
  if (!(milliseconds > 0)) return 0;
  milliseconds = std::min(milliseconds, kLongestMilliseconds);
  return static_cast<reactor::Nanoseconds>(
      milliseconds * static_cast<double>(reactor::kNanosecondsPerMillisecond));
}

}  // namespace

void OutboundRecords::Open(std::uint32_t slot) {
  if (sends_.size() <= slot) sends_.resize(slot + 1);
  sends_[slot] = Sends{};
}

void OutboundRecords::Shrink(std::size_t slots) {
  if (slots > sends_.capacity() / 2) return;
  sends_.resize(std::min(slots, sends_.size()));
  sends_.shrink_to_fit();
}

void OutboundRecords::Execute(std::span<const std::byte> records) {
  RecordReader reader(records);
  while (const auto record = reader.Next()) {
    Apply(*record);
  }
  FlushAll();
}

void OutboundRecords::Multicast(const RecordView& record) {
  std::span<const std::byte> rest = record.receivers;
  for (; !rest.empty(); rest = rest.subspan(RecordReader::kReceiverSize)) {
    std::array<std::uint32_t, 2> receiver{};
    std::memcpy(receiver.data(), rest.data(), sizeof receiver);
    Connection* const connection = loop_->Find(receiver[0], receiver[1]);
    if (connection != nullptr) Queue(*connection, record.payload, 0);
  }
}

void OutboundRecords::Apply(const RecordView& record) {
  const Operation operation = record.operation;
  const auto reason = static_cast<reactor::CloseReason>(record.argument);
  switch (operation) {
    case Operation::kTimerStart:
      StartTimer(record);
      return;
    case Operation::kTimerCancel:
      loop_->timers().Cancel(record.subject);
      return;
    case Operation::kTimerDone:
      loop_->timers().Acknowledge(record.subject);
      return;
    case Operation::kDial:
      Dial(record);
      return;
    case Operation::kDialCancel:
      loop_->connector().Cancel(record.subject);
      return;
    case Operation::kQuiesce:
      loop_->Quiesce(record.argument == kReadOn);
      return;
    case Operation::kCloseAll:
      FlushAll();
      loop_->CloseAll(reason);
      return;
    case Operation::kAbortAll:
      FlushAll();
      loop_->AbortAll(reason);
      return;
    case Operation::kMulticast:
      Multicast(record);
      return;
    default:
      break;
  }
  // Not found: it is gone, and its close event is on the way or was seen.
  Connection* const connection = loop_->Find(record.subject, record.generation);
  if (connection != nullptr) ApplyTo(*connection, record);
}

void OutboundRecords::ApplyTo(Connection& connection, const RecordView& record) {
  if (record.operation == Operation::kSend) {
    Queue(connection, record.payload, record.argument);
    return;
  }
  Flush(connection);
  const auto reason = static_cast<reactor::CloseReason>(record.argument);
  switch (record.operation) {
    case Operation::kClose:
      connection.Close(reason);
      break;
    case Operation::kShutdownWrite:
      connection.ShutdownWrite();
      break;
    case Operation::kRefuseInput:
      connection.RefuseInput(0);
      break;
    case Operation::kAbort:
      connection.Abort(reason);
      break;
    case Operation::kPause:
      connection.Pause();
      break;
    case Operation::kResume:
      connection.Resume();
      break;
    case Operation::kSetIdleTimeout:
      if (record.payload.size() < sizeof(double)) return;
      connection.SetIdleTimeout(FromMillisecondsAsDouble(record.payload.data()));
      break;
    case Operation::kLeave:
      if (record.payload.size() < sizeof(double)) return;
      connection.Leave(FromMillisecondsAsDouble(record.payload.data()), reason);
      break;
    case Operation::kExpireIdle:
      connection.ExpireIdle();
      break;
    case Operation::kRestartIdle:
      connection.RestartIdle();
      break;
    default:
      break;
  }
}

void OutboundRecords::StartTimer(const RecordView& record) {
  if (record.payload.size() < 2 * sizeof(double)) return;
  loop_->timers().Start(record.subject, FromMillisecondsAsDouble(record.payload.data()),
                        FromMillisecondsAsDouble(record.payload.data() + sizeof(double)));
}

void OutboundRecords::Dial(const RecordView& record) {
  const reactor::DialToken token = record.subject;
  const std::span<const std::byte> payload = record.payload;
  const auto name_length = static_cast<std::size_t>(record.argument);
  std::int32_t port = 0;
  if (payload.size() < sizeof(double) + sizeof port + name_length) {
    loop_->connector().Reject(token, EINVAL);
    return;
  }
  std::memcpy(&port, payload.data() + sizeof(double), sizeof port);
  const auto text = payload.subspan(sizeof(double) + sizeof port);
  const std::string_view all(reinterpret_cast<const char*>(text.data()), text.size());
  const std::string target(all.substr(0, all.size() - name_length));
  std::string server_name(all.substr(target.size()));
  reactor::Endpoint remote;
  const int result =
      port < 0 ? reactor::Endpoint::ParsePath(target, remote)
               : reactor::Endpoint::ParseAddress(target, static_cast<std::uint16_t>(port), remote);
  if (result < 0) {
    loop_->connector().Reject(token, -result);
  } else {
    loop_->connector().Dial(token, remote, FromMillisecondsAsDouble(payload.data()),
                            std::move(server_name));
  }
}

void OutboundRecords::Queue(Connection& connection, std::span<const std::byte> payload,
                            std::int32_t flags) {
  Sends& sends = sends_[connection.slot()];
  const auto part = static_cast<std::int32_t>(parts_.size());
  parts_.push_back({payload, kNone});
  if (sends.first_part == kNone) {
    sends.first_part = part;
    unflushed_.push_back(&connection);
  } else {
    parts_[static_cast<std::size_t>(sends.last_part)].next = part;
  }
  sends.last_part = part;
  sends.flags |= flags;
}

void OutboundRecords::Flush(Connection& connection) {
  Sends& sends = sends_[connection.slot()];
  if (sends.first_part == kNone) return;
  spans_.clear();
  for (std::int32_t i = sends.first_part; i != kNone;
       i = parts_[static_cast<std::size_t>(i)].next) {
    spans_.push_back(parts_[static_cast<std::size_t>(i)].bytes);
  }
  sends.first_part = sends.last_part = kNone;
  const std::int32_t flags = std::exchange(sends.flags, 0);
  connection.Send(spans_);
  if ((flags & kNotifyFlushed) != 0) connection.NotifyFlushed();
  if ((flags & kNotifyDrained) != 0) connection.NotifyDrained();
}

void OutboundRecords::FlushAll() {
  for (Connection* connection : unflushed_) Flush(*connection);
  unflushed_.clear();
  parts_.clear();
}

}  // namespace bridge
