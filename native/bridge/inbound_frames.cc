#include "bridge/inbound_frames.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace bridge {
namespace {

using protocol::FrameContent;
using protocol::FrameResult;
using reactor::Connection;
using reactor::ReadVerdict;

constexpr std::size_t kReadSize = 64 * 1024;     // bytes asked of the kernel at a time
constexpr std::size_t kMinimumRead = 16 * 1024;  // with less room the slab counts as full
constexpr std::size_t kCarryLimit = 4 * 1024;
constexpr std::size_t kFramesATurn = kDescriptorCapacity;  // of one connection
constexpr std::size_t kLargeFrame = InboundStream::kMaxData / 2;

}  // namespace

void InboundFrames::FrameListener(std::size_t listener, const protocol::Framer& framer) {
  if (listener_framers_.size() <= listener) listener_framers_.resize(listener + 1);
  listener_framers_[listener] = &framer;
}

const protocol::Framer& InboundFrames::FramerOf(const Connection& connection) const noexcept {
  const std::size_t listener = connection.listener();
  const bool is_ours = connection.dial() == 0 && listener < listener_framers_.size() &&
                       listener_framers_[listener] != nullptr;
  return is_ours ? *listener_framers_[listener] : framer_;
}

void InboundFrames::Open(const Connection& connection) {
  const std::uint32_t slot = connection.slot();
  if (partials_.size() <= slot) partials_.resize(slot + 1);
  partials_[slot] = Partial{};
  partials_[slot].framer = &FramerOf(connection);
}

void InboundFrames::Shrink(std::size_t slots) {
  if (slots > partials_.capacity() / 2) return;
  partials_.resize(std::min(slots, partials_.size()));
  partials_.shrink_to_fit();
}

std::span<std::byte> InboundFrames::PrepareRead(const Connection& connection) {
  FrameBuffer& buffer = PartialOf(connection).buffer;
  if (buffer.size() > kCarryLimit) return buffer.Room(kReadSize, PartialOf(connection).wanted);
  const std::size_t carried = buffer.size();
  if (!stream_.Reserve(carried + kMinimumRead)) return {};
  const std::span<std::byte> room = stream_.Room();
  if (carried > 0) std::memcpy(room.data(), buffer.bytes().data(), carried);
  return room.subspan(carried, std::min(room.size() - carried, kReadSize));
}

ReadVerdict InboundFrames::CommitRead(Connection& connection, std::size_t count) {
  Partial& partial = PartialOf(connection);
  if (partial.framer->content() == FrameContent::kChunks) {
    stream_.Append({EventKind::kMessage, connection.slot(), connection.generation(),
                    stream_.data_end(), static_cast<std::uint32_t>(count), 0, 0, 0});
    stream_.TakeData(count);
    return ReadVerdict::kContinue;
  }
  ReadVerdict verdict = ReadVerdict::kContinue;
  if (count == 0) {
    verdict = ParsePartial(connection);
  } else if (partial.buffer.size() > kCarryLimit) {
    partial.buffer.Commit(count);
    verdict = ParsePartial(connection);
  } else {
    verdict = ParseSlab(connection, std::exchange(partial.buffer, {}).size() + count);
  }
  if (verdict == ReadVerdict::kInvalidFrame || verdict == ReadVerdict::kFrameTooLong) {
    partial.buffer.Clear();
  }
  const std::size_t kept = partial.buffer.size();
  // Of a frame that began before there is more than what came now.
  connection.SetKeptInput({.bytes = kept,
                           .incomplete = verdict == ReadVerdict::kContinue && kept > 0,
                           .begun = count == 0 || kept <= count});
  return verdict;
}

void InboundFrames::DropInput(const Connection& connection) noexcept {
  PartialOf(connection).buffer.Clear();
}

ReadVerdict InboundFrames::Refuse(Partial& partial, const FrameResult& frame) noexcept {
  partial.refused = static_cast<std::uint32_t>(
      std::min<std::size_t>(frame.payload_length, std::numeric_limits<std::uint32_t>::max()));
  return frame.status == FrameResult::Status::kInvalid ? ReadVerdict::kInvalidFrame
                                                       : ReadVerdict::kFrameTooLong;
}

// The bytes lie in the open slab already: descriptors point at the frames where they are.
ReadVerdict InboundFrames::ParseSlab(const Connection& connection, std::size_t available) {
  Partial& partial = PartialOf(connection);
  std::span<const std::byte> input = stream_.Room().first(available);
  for (std::size_t frames = 0; input.size() >= partial.wanted && !input.empty(); ++frames) {
    if (frames == kFramesATurn || stream_.DescriptorsLeft() == 0) {
      partial.buffer.Append(input);
      return ParsePartial(connection, frames);
    }
    const FrameResult frame = partial.framer->Next(input, partial.state);
    partial.wanted = frame.wanted;
    if (frame.status == FrameResult::Status::kIncomplete) break;
    if (frame.status == FrameResult::Status::kInvalid ||
        frame.status == FrameResult::Status::kTooLong) {
      return Refuse(partial, frame);
    }
    if (frame.status == FrameResult::Status::kFrame) {
      partial.state = {};
      AppendMessage(connection,
                    stream_.data_end() + static_cast<std::uint32_t>(frame.payload_offset),
                    input.subspan(frame.payload_offset, frame.payload_length), frame.ascii);
    }
    stream_.TakeData(frame.consumed);
    input = input.subspan(frame.consumed);
  }
  partial.buffer.Append(input, partial.wanted);
  return ReadVerdict::kContinue;
}

// `frames` of the connection have been delivered in this turn.
ReadVerdict InboundFrames::ParsePartial(const Connection& connection, std::size_t frames) {
  Partial& partial = PartialOf(connection);
  FrameBuffer& buffer = partial.buffer;
  for (; buffer.size() >= partial.wanted && !buffer.empty(); ++frames) {
    if (frames == kFramesATurn) return ReadVerdict::kLater;
    const FrameResult frame = partial.framer->Next(buffer.bytes(), partial.state);
    partial.wanted = frame.wanted;
    if (frame.status == FrameResult::Status::kIncomplete) break;
    if (frame.status == FrameResult::Status::kInvalid ||
        frame.status == FrameResult::Status::kTooLong) {
      return Refuse(partial, frame);
    }
    if (frame.status == FrameResult::Status::kSkipped) {
      buffer.Consume(frame.consumed);
      continue;
    }
    if (!DeliverPartial(connection, frame)) return ReadVerdict::kNoRoom;
    partial.state = {};
  }
  return ReadVerdict::kContinue;
}

void InboundFrames::AppendMessage(const Connection& connection, std::uint32_t offset,
                                  std::span<const std::byte> payload, bool ascii) {
  const FrameContent content = PartialOf(connection).framer->content();
  EventDescriptor message{content == FrameContent::kBytes ? EventKind::kMessage : EventKind::kText,
                          connection.slot(),
                          connection.generation(),
                          offset,
                          static_cast<std::uint32_t>(payload.size()),
                          0,
                          ascii ? 1U : 0U,
                          0};
  if (ascii && content == FrameContent::kPackets) {
    if (const auto parts = protocol::ScanNestPacket(payload)) {
      message.a = patterns_.NumberOf(parts->pattern);
      message.b |= static_cast<std::uint32_t>(parts->id_length) << 1U;
      message.c = static_cast<std::uint32_t>(parts->data_offset);
    }
  }
  stream_.Append(message);
}

bool InboundFrames::DeliverPartial(const Connection& connection, const FrameResult& frame) {
  Partial& partial = PartialOf(connection);
  FrameBuffer& buffer = partial.buffer;
  const std::size_t length = frame.payload_length;
  if (length <= kLargeFrame) {
    if (!stream_.Reserve(length)) return false;
    const auto payload = buffer.bytes().subspan(frame.payload_offset, length);
    AppendMessage(connection, stream_.CopyData(payload), payload, frame.ascii);
    buffer.Consume(frame.consumed);
    return true;
  }
  if (!stream_.Reserve(0) || !large_.Admits(length)) return false;
  const std::uint32_t ticket =
      large_.Put(LargeFrame(buffer, frame.payload_offset, length, frame.consumed));
  stream_.Append({EventKind::kLarge, connection.slot(), connection.generation(), 0,
                  static_cast<std::uint32_t>(length), ticket, frame.ascii ? 1U : 0U,
                  partial.framer->content() == FrameContent::kBytes ? 0U : 1U});
  return true;
}

}  // namespace bridge
