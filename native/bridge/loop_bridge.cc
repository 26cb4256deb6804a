#include "bridge/loop_bridge.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

namespace bridge {
namespace {

using protocol::FrameResult;
using reactor::Connection;
using reactor::ReadVerdict;

constexpr std::size_t kReadSize = 64 * 1024;     // bytes asked of the kernel at a time
constexpr std::size_t kMinimumRead = 16 * 1024;  // with less room the slab counts as full
constexpr std::size_t kCarryLimit = 4 * 1024;    // a partial frame up to this is copied in front
constexpr double kLongestMilliseconds = 0x7fffffff;        // MAX_DELAY of src/core/constants.ts
constexpr std::size_t kFramesATurn = kDescriptorCapacity;  // of one connection
constexpr std::size_t kLargeFrame = InboundStream::kMaxData / 2;

std::uint32_t Low(std::uint64_t value) noexcept { return static_cast<std::uint32_t>(value); }
std::uint32_t High(std::uint64_t value) noexcept {
  return static_cast<std::uint32_t>(value >> 32U);
}

std::span<const std::byte> Bytes(const std::string& text) noexcept {
  return std::as_bytes(std::span(text.data(), text.size()));
}

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

LoopBridge::LoopBridge(const protocol::Framer& framer, Doorbell* doorbell,
                       std::vector<std::byte*> inbound, std::vector<std::byte*> outbound)
    : framer_(framer),
      doorbell_(doorbell),
      inbound_(std::move(inbound)),
      mailbox_(std::move(outbound)) {}

// --- events: loop → JavaScript -------------------------------------------------------------------

bool LoopBridge::AwaitRoom() noexcept {
  if (!large_.HasRoom()) {
    inbound_.AwaitRelease();
    if (!large_.HasRoom()) return false;  // looked at anew: it may just have been made
  }
  return inbound_.HasRoom();
}

void LoopBridge::EndEvents() {
  const bool has_events = inbound_.HasEvents();
  inbound_.Unlock();
  if (has_events && doorbell_ != nullptr) doorbell_->Ring();
}

bool LoopBridge::Emit(EventKind kind, const Connection& connection, std::uint32_t a,
                      std::uint32_t b, std::uint32_t c) {
  if (!inbound_.Reserve(0)) return false;
  inbound_.Append({kind, connection.slot(), connection.generation(), 0, 0, a, b, c});
  return true;
}

bool LoopBridge::OnOpen(Connection& connection) {
  const reactor::Endpoint local = reactor::Endpoint::LocalOf(connection.fd());
  const std::string remote_host = connection.remote().host();
  const std::string local_host = local.host();
  if (!inbound_.Reserve(remote_host.size() + local_host.size())) return false;
  if (slots_.size() <= connection.slot()) slots_.resize(connection.slot() + 1);
  SlotOf(connection) = Slot{};
  const std::uint32_t offset = inbound_.CopyData(Bytes(remote_host));
  inbound_.CopyData(Bytes(local_host));
  const std::uint32_t family = connection.remote().is_unix()                ? 1
                               : remote_host.find(':') == std::string::npos ? 4
                                                                            : 6;
  inbound_.Append({EventKind::kOpen, connection.slot(), connection.generation(), offset,
                   static_cast<std::uint32_t>(remote_host.size() + local_host.size()),
                   connection.remote().port() | std::uint32_t{local.port()} << 16U,
                   static_cast<std::uint32_t>(remote_host.size()),
                   family | connection.dial() << 8U});
  return true;
}

bool LoopBridge::OnEnd(Connection& connection) { return Emit(EventKind::kEnd, connection); }
bool LoopBridge::OnDrain(Connection& connection) { return Emit(EventKind::kDrain, connection); }

bool LoopBridge::OnIdle(Connection& connection) { return Emit(EventKind::kIdle, connection); }

bool LoopBridge::OnFlushed(Connection& connection) {
  const std::uint64_t written = connection.bytes_written();
  return Emit(EventKind::kFlushed, connection, Low(written), High(written));
}

bool LoopBridge::OnClose(Connection& connection, reactor::CloseReason reason, int error) {
  return Emit(EventKind::kClose, connection, static_cast<std::uint32_t>(reason),
              static_cast<std::uint32_t>(error), SlotOf(connection).too_long);
}

void LoopBridge::OnFewerSlots(std::size_t slots) noexcept {
  if (slots > slots_.capacity() / 2) return;
  slots_.resize(std::min(slots, slots_.size()));
  slots_.shrink_to_fit();
}

bool LoopBridge::OnDialFailed(reactor::DialToken token, int error) {
  if (!inbound_.Reserve(0)) return false;
  inbound_.Append(
      {EventKind::kDialFailed, token, 0, 0, 0, static_cast<std::uint32_t>(error), 0, 0});
  return true;
}

bool LoopBridge::OnTimer(reactor::TimerId id, std::uint32_t skipped) {
  if (!inbound_.Reserve(0)) return false;
  inbound_.Append({EventKind::kTimer, id, 0, 0, 0, skipped, 0, 0});
  return true;
}

bool LoopBridge::OnQuiesced() {
  if (!inbound_.Reserve(0)) return false;
  inbound_.Append({EventKind::kQuiesced, 0, 0, 0, 0, 0, 0, 0});
  return true;
}

void LoopBridge::OnFailure(reactor::LoopFailure failure, int error) {
  if (!inbound_.Reserve(0)) return;
  inbound_.Append({EventKind::kFailure, 0, 0, 0, 0, static_cast<std::uint32_t>(failure),
                   static_cast<std::uint32_t>(error), 0});
}

// --- received bytes → frames
// -----------------------------------------------------------------------

// Received bytes go straight into the slab, behind the copy of a short partial frame. A long
// partial frame collects outside, so that a frame which arrives in many small pieces is not copied
// each time.
std::span<std::byte> LoopBridge::PrepareRead(Connection& connection) {
  Slot& slot = SlotOf(connection);
  if (slot.partial.size() > kCarryLimit) return slot.partial.Room(kReadSize);
  const std::size_t carried = slot.partial.size();
  if (!inbound_.Reserve(carried + kMinimumRead)) return {};
  const std::span<std::byte> room = inbound_.Room();
  if (carried > 0) std::memcpy(room.data(), slot.partial.bytes().data(), carried);
  return room.subspan(carried, std::min(room.size() - carried, kReadSize));
}

ReadVerdict LoopBridge::CommitRead(Connection& connection, std::size_t count) {
  Slot& slot = SlotOf(connection);
  if (framer_.passes_through()) {
    inbound_.Append({EventKind::kMessage, connection.slot(), connection.generation(),
                     inbound_.data_end(), static_cast<std::uint32_t>(count), 0, 0, 0});
    inbound_.TakeData(count);
    return ReadVerdict::kContinue;
  }
  ReadVerdict verdict = ReadVerdict::kContinue;
  if (count == 0) {
    verdict = ParsePartial(connection);
  } else if (slot.partial.size() > kCarryLimit) {
    slot.partial.Commit(count);
    verdict = ParsePartial(connection);
  } else {
    verdict = ParseSlab(connection, std::exchange(slot.partial, {}).size() + count);
  }
  if (verdict == ReadVerdict::kInvalidFrame || verdict == ReadVerdict::kFrameTooLong) {
    slot.partial.Clear();
  }
  const std::size_t kept = slot.partial.size();
  // Of a frame that began before there is more than what came now.
  connection.SetKeptInput({.bytes = kept,
                           .incomplete = verdict == ReadVerdict::kContinue && kept > 0,
                           .begun = count == 0 || kept <= count});
  return verdict;
}

void LoopBridge::DropInput(Connection& connection) noexcept { SlotOf(connection).partial.Clear(); }

ReadVerdict LoopBridge::Refuse(Slot& slot, const FrameResult& frame) noexcept {
  if (frame.status == FrameResult::Status::kInvalid) return ReadVerdict::kInvalidFrame;
  slot.too_long = static_cast<std::uint32_t>(
      std::min<std::size_t>(frame.payload_length, std::numeric_limits<std::uint32_t>::max()));
  return ReadVerdict::kFrameTooLong;
}

// The bytes lie in the open slab already: descriptors point at the frames where they are.
ReadVerdict LoopBridge::ParseSlab(Connection& connection, std::size_t available) {
  Slot& slot = SlotOf(connection);
  std::span<const std::byte> input = inbound_.Room().first(available);
  for (std::size_t frames = 0; !input.empty(); ++frames) {
    if (frames == kFramesATurn || inbound_.DescriptorsLeft() == 0) {
      slot.partial.Append(input);
      return ParsePartial(connection, frames);
    }
    const FrameResult frame = framer_.Next(input, slot.frame);
    if (frame.status == FrameResult::Status::kIncomplete) break;
    if (frame.status == FrameResult::Status::kInvalid ||
        frame.status == FrameResult::Status::kTooLong) {
      return Refuse(slot, frame);
    }
    if (frame.status == FrameResult::Status::kSkipped) {
      inbound_.TakeData(frame.consumed);
      input = input.subspan(frame.consumed);
      continue;
    }
    slot.frame = {};
    AppendMessage(connection,
                  inbound_.data_end() + static_cast<std::uint32_t>(frame.payload_offset),
                  input.subspan(frame.payload_offset, frame.payload_length), frame.ascii);
    inbound_.TakeData(frame.consumed);
    input = input.subspan(frame.consumed);
  }
  slot.partial.Append(input);
  return ReadVerdict::kContinue;
}

// `frames` of the connection have been delivered in this turn.
ReadVerdict LoopBridge::ParsePartial(Connection& connection, std::size_t frames) {
  Slot& slot = SlotOf(connection);
  for (; !slot.partial.empty(); ++frames) {
    if (frames == kFramesATurn) return ReadVerdict::kLater;
    const std::span<const std::byte> input = slot.partial.bytes();
    const FrameResult frame = framer_.Next(input, slot.frame);
    if (frame.status == FrameResult::Status::kIncomplete) break;
    if (frame.status == FrameResult::Status::kInvalid ||
        frame.status == FrameResult::Status::kTooLong) {
      return Refuse(slot, frame);
    }
    if (frame.status == FrameResult::Status::kSkipped) {
      slot.partial.Consume(frame.consumed);
      continue;
    }
    if (!DeliverCopy(connection, input.subspan(frame.payload_offset, frame.payload_length),
                     frame.ascii)) {
      return ReadVerdict::kNoRoom;
    }
    slot.frame = {};
    slot.partial.Consume(frame.consumed);
  }
  return ReadVerdict::kContinue;
}

void LoopBridge::AppendMessage(const Connection& connection, std::uint32_t offset,
                               std::span<const std::byte> payload, bool ascii) {
  Descriptor message{EventKind::kMessage,
                     connection.slot(),
                     connection.generation(),
                     offset,
                     static_cast<std::uint32_t>(payload.size()),
                     0,
                     ascii ? 1U : 0U,
                     0};
  if (ascii && framer_.carries_packets()) {
    if (const auto parts = protocol::ScanNestPacket(payload)) {
      message.a = patterns_.NumberOf(parts->pattern);
      message.b |= static_cast<std::uint32_t>(parts->id_length) << 1U;
      message.c = static_cast<std::uint32_t>(parts->data_offset);
    }
  }
  inbound_.Append(message);
}

bool LoopBridge::DeliverCopy(const Connection& connection, std::span<const std::byte> payload,
                             bool ascii) {
  if (payload.size() <= kLargeFrame) {
    if (!inbound_.Reserve(payload.size())) return false;
    AppendMessage(connection, inbound_.CopyData(payload), payload, ascii);
    return true;
  }
  if (!inbound_.Reserve(0)) return false;
  const auto ticket = large_.Put(payload);
  if (!ticket) return false;
  inbound_.Append({EventKind::kLarge, connection.slot(), connection.generation(), 0,
                   static_cast<std::uint32_t>(payload.size()), *ticket, ascii ? 1U : 0U, 0});
  return true;
}

// --- records: JavaScript → loop
// ----------------------------------------------------------------------

void LoopBridge::RunCommands() {
  mailbox_.Drain([this](std::span<std::byte> records) { Execute(records); });
}

void LoopBridge::Execute(std::span<const std::byte> records) {
  RecordReader reader(records);
  while (const auto record = reader.Next()) {
    if (record->operation == Operation::kMulticast) {
      Multicast(*record);
    } else {
      Apply(*record);
    }
  }
  FlushAll();
}

void LoopBridge::Multicast(const RecordView& record) {
  std::span<const std::byte> rest = record.receivers;
  for (; !rest.empty(); rest = rest.subspan(RecordReader::kReceiverSize)) {
    std::array<std::uint32_t, 2> receiver{};
    std::memcpy(receiver.data(), rest.data(), sizeof receiver);
    Connection* const connection = loop_->Find(receiver[0], receiver[1]);
    if (connection != nullptr) Queue(*connection, record.payload, 0);
  }
}

void LoopBridge::Apply(const RecordView& record) {
  const Operation operation = record.operation;
  const auto reason = static_cast<reactor::CloseReason>(record.argument);
  switch (operation) {
    case Operation::kTimerStart:
      StartTimer(record);
      return;
    case Operation::kTimerCancel:
      loop_->timers().Cancel(record.slot);
      return;
    case Operation::kTimerDone:
      loop_->timers().Acknowledge(record.slot);
      return;
    case Operation::kDial:
      Dial(record.slot, record.payload);
      return;
    case Operation::kDialCancel:
      loop_->connector().Cancel(record.slot);
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
    default:
      break;
  }
  Connection* const connection = loop_->Find(record.slot, record.generation);
  if (connection == nullptr) return;  // gone: its close event is on the way or was seen
  if (operation == Operation::kSend) {
    Queue(*connection, record.payload, record.argument);
    return;
  }
  Flush(*connection);
  switch (operation) {
    case Operation::kClose:
      connection->Close(reason);
      break;
    case Operation::kShutdownWrite:
      connection->ShutdownWrite();
      break;
    case Operation::kRefuseInput:
      connection->RefuseInput(0);
      break;
    case Operation::kAbort:
      connection->Abort(reason);
      break;
    case Operation::kPause:
      connection->Pause();
      break;
    case Operation::kResume:
      connection->Resume();
      break;
    case Operation::kSetIdleTimeout:
      if (record.payload.size() < sizeof(double)) return;
      connection->SetIdleTimeout(FromMillisecondsAsDouble(record.payload.data()));
      break;
    case Operation::kLeave:
      if (record.payload.size() < sizeof(double)) return;
      connection->Leave(FromMillisecondsAsDouble(record.payload.data()), reason);
      break;
    case Operation::kExpireIdle:
      connection->ExpireIdle();
      break;
    case Operation::kRestartIdle:
      connection->RestartIdle();
      break;
    default:
      break;
  }
}

void LoopBridge::StartTimer(const RecordView& record) {
  if (record.payload.size() < 2 * sizeof(double)) return;
  loop_->timers().Start(record.slot, FromMillisecondsAsDouble(record.payload.data()),
                        FromMillisecondsAsDouble(record.payload.data() + sizeof(double)));
}

void LoopBridge::Dial(reactor::DialToken token, std::span<const std::byte> payload) {
  std::int32_t port = 0;
  if (payload.size() < sizeof(double) + sizeof port) {
    loop_->connector().Reject(token, EINVAL);
    return;
  }
  std::memcpy(&port, payload.data() + sizeof(double), sizeof port);
  const auto text = payload.subspan(sizeof(double) + sizeof port);
  const std::string target(reinterpret_cast<const char*>(text.data()), text.size());
  reactor::Endpoint remote;
  const int result =
      port < 0 ? reactor::Endpoint::ParsePath(target, remote)
               : reactor::Endpoint::ParseAddress(target, static_cast<std::uint16_t>(port), remote);
  if (result < 0) {
    loop_->connector().Reject(token, -result);
  } else {
    loop_->connector().Dial(token, remote, FromMillisecondsAsDouble(payload.data()));
  }
}

void LoopBridge::Queue(Connection& connection, std::span<const std::byte> payload,
                       std::int32_t flags) {
  Slot& slot = SlotOf(connection);
  const auto part = static_cast<std::int32_t>(parts_.size());
  parts_.push_back({payload, kNone});
  if (slot.first_part == kNone) {
    slot.first_part = part;
    unflushed_.push_back(&connection);
  } else {
    parts_[static_cast<std::size_t>(slot.last_part)].next = part;
  }
  slot.last_part = part;
  slot.flags |= flags;
}

void LoopBridge::Flush(Connection& connection) {
  Slot& slot = SlotOf(connection);
  if (slot.first_part == kNone) return;
  spans_.clear();
  for (std::int32_t i = slot.first_part; i != kNone; i = parts_[static_cast<std::size_t>(i)].next) {
    spans_.push_back(parts_[static_cast<std::size_t>(i)].bytes);
  }
  slot.first_part = slot.last_part = kNone;
  const std::int32_t flags = std::exchange(slot.flags, 0);
  connection.Send(spans_);
  if ((flags & kNotifyFlushed) != 0) connection.NotifyFlushed();
  if ((flags & kNotifyDrained) != 0) connection.NotifyDrained();
}

void LoopBridge::FlushAll() {
  for (Connection* connection : unflushed_) Flush(*connection);
  unflushed_.clear();
  parts_.clear();
}

}  // namespace bridge
