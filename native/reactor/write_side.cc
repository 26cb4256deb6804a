#include "reactor/write_side.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

#include "reactor/secure_channel.h"
#include "reactor/socket_ops.h"

namespace reactor {
namespace {

constexpr std::size_t kComposeLimit = 8 * 1024;  // below this one copy beats an iovec
constexpr std::size_t kVectorLimit = 64;         // parts a sendmsg

/// What `parts` hold behind their first `skip` bytes, a record of it at most and in one piece: it
/// is copied into `room` where it is in several. It is never less than last time, if that was
/// refused: then the channel has made a record of it.
std::span<const std::byte> NextRecord(WriteSide::Parts parts, std::size_t skip,
                                      std::span<std::byte> room) noexcept {
  std::size_t used = 0;
  for (const auto part : parts) {
    if (skip >= part.size()) {
      skip -= part.size();
      continue;
    }
    const auto rest = part.subspan(std::exchange(skip, 0));
    if (used == 0 && (rest.size() >= room.size() || part.data() == parts.back().data())) {
      return rest.first(std::min(rest.size(), room.size()));
    }
    const std::size_t count = std::min(rest.size(), room.size() - used);
    std::memcpy(room.data() + used, rest.data(), count);
    used += count;
    if (used == room.size()) break;
  }
  return room.first(used);
}

}  // namespace

void WriteSide::CheckLayout() noexcept {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
  static_assert(offsetof(WriteSide, output_) + sizeof(std::size_t) <= kHotSize);
#pragma GCC diagnostic pop
}

void WriteSide::Open(RingMemory& memory) noexcept {
  assert(state_ == State::kClosed && output_.empty());
  state_ = State::kOpen;
  output_.UseMemory(&memory);
}

bool WriteSide::Close() noexcept {
  state_ = State::kClosed;
  if (output_.empty()) return false;
  output_.Clear();
  return true;
}

void WriteSide::Reset() noexcept {
  assert(state_ == State::kClosed && output_.empty() && counted_ == 0 && rank_ == 0);
  writable_ = true;
  full_ = drain_awaited_ = false;
  bytes_written_.store(0, std::memory_order_release);
  queued_ = flush_target_ = 0;
}

void WriteSide::WantFin() noexcept {
  assert(state_ != State::kClosed);
  if (state_ == State::kOpen) state_ = State::kFinWanted;
}

int WriteSide::SendFin(int fd, SecureChannel* channel) noexcept {
  assert(state_ == State::kFinWanted && output_.empty());
  if (channel != nullptr) {
    const int result = channel->SendEnd(fd);
    if (result < 0) {
      writable_ = false;
      return result;
    }
  }
  state_ = State::kFinSent;
  return SocketOps::Shutdown(fd, SHUT_WR);
}

WriteSide::Progress WriteSide::Write(int fd, Parts parts, std::size_t total) noexcept {
  std::array<std::byte, kComposeLimit> composed;
  std::array<std::span<const std::byte>, 1> whole;
  if (parts.size() > 1 && total <= composed.size()) {
    std::size_t offset = 0;
    for (const auto part : parts) {
      std::memcpy(composed.data() + offset, part.data(), part.size());
      offset += part.size();
    }
    whole[0] = std::span(composed.data(), total);
    parts = whole;
  }
  Progress progress;
  while (progress.written < total) {
    std::array<iovec, kVectorLimit> vectors;
    std::size_t count = 0;
    std::size_t asked = 0;
    std::size_t skip = progress.written;
    for (const auto part : parts) {
      if (skip >= part.size()) {
        skip -= part.size();
        continue;
      }
      if (count == vectors.size()) break;
      vectors[count++] = {const_cast<std::byte*>(part.data() + skip), part.size() - skip};
      asked += part.size() - skip;
      skip = 0;
    }
    const ssize_t result = count == 1
                               ? SocketOps::Send(fd, vectors[0].iov_base, asked)
                               : SocketOps::SendVector(fd, vectors.data(), static_cast<int>(count));
    if (result == -EINTR) continue;
    if (result < 0) {
      writable_ = false;
      progress.error = static_cast<int>(-result);
      break;
    }
    // Part of it does not mean that the kernel is full: only EAGAIN promises a new edge.
    progress.written += static_cast<std::size_t>(result);
  }
  CountWritten(progress.written);
  return progress;
}

WriteSide::Progress WriteSide::Write(SecureChannel& channel, int fd, Parts parts,
                                     std::size_t total) noexcept {
  std::array<std::byte, SecureChannel::kMaxRecord> composed;
  Progress progress;
  while (progress.written < total) {
    const ssize_t result = channel.Send(fd, NextRecord(parts, progress.written, composed));
    if (result < 0) {
      writable_ = false;
      progress.error = static_cast<int>(-result);
      break;
    }
    progress.written += static_cast<std::size_t>(result);
  }
  CountWritten(progress.written);
  return progress;
}

WriteSide::Progress WriteSide::WriteWaiting(int fd, SecureChannel* channel) noexcept {
  assert(!output_.empty());
  if (!writable_) return {};
  const auto waiting = output_.Peek();
  const Parts parts = std::span(waiting).first(waiting[1].empty() ? 1 : 2);
  const Progress progress = channel == nullptr ? Write(fd, parts, output_.size())
                                               : Write(*channel, fd, parts, output_.size());
  output_.Consume(progress.written);
  return progress;
}

bool WriteSide::Keep(Parts parts, std::size_t skip) noexcept {
  try {
    for (const auto part : parts) {
      const std::size_t written = std::min(skip, part.size());
      output_.Append(part.subspan(written));
      skip -= written;
    }
  } catch (const std::bad_alloc&) {
    return false;
  }
  return true;
}

}  // namespace reactor
