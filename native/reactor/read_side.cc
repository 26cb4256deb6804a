#include "reactor/read_side.h"

#include <cerrno>

#include "reactor/secure_channel.h"
#include "reactor/socket_ops.h"

namespace reactor {
namespace {

/// The arrows of the picture in the header.
[[maybe_unused]] bool IsTransition(ReadSide::State from, ReadSide::State to) noexcept {
  using State = ReadSide::State;
  if (to == State::kStopped) return true;
  switch (from) {
    case State::kOpen:
      return to != State::kOpen;
    case State::kEnding:
      return to == State::kEnded || to == State::kDropping;
    case State::kDropping:
      return to == State::kEnded;
    case State::kStopped:
      return to == State::kDropping;
    case State::kEnded:
      return false;
  }
  return false;
}

}  // namespace

void ReadSide::Open(bool paused, bool stops_short) noexcept {
  assert(state_ == State::kStopped && !readable());
  state_ = State::kOpen;
  paused_ = paused;
  stops_short_ = stops_short;
}

bool ReadSide::Close() noexcept {
  supply_ = Supply::kNone;
  unparsed_ = false;
  return Enter(State::kStopped);
}

void ReadSide::Reset() noexcept {
  assert(state_ == State::kStopped && !has_unread() && !in_final_read() && kept_ == 0);
  hangup_ = paused_ = secure_ = false;
  bytes_received_.store(0, std::memory_order_release);
}

bool ReadSide::Enter(State next) noexcept {
  assert(IsTransition(state_, next));
  state_ = next;
  if (delivers() || final_read_left_ == 0) return false;
  final_read_left_ = 0;
  return true;
}

ssize_t ReadSide::Receive(int fd, std::span<std::byte> room) noexcept {
  if (supply_ == Supply::kAnnounced) supply_ = Supply::kPossible;
  ssize_t result = 0;
  do {
    result = SocketOps::Receive(fd, room.data(), room.size());
  } while (result == -EINTR);
  // A stream that gave less than was asked for is empty, and its next byte is a new edge
  // (epoll(7)). A hang-up has no further edge, and a call that stops at urgent data has left some.
  const bool is_short = result > 0 && static_cast<std::size_t>(result) < room.size();
  if (result <= 0 || (is_short && !hangup_ && !stops_short_)) supply_ = Supply::kNone;
  return result;
}

// How much the channel gives says nothing of what is left: only that it gives nothing does.
ssize_t ReadSide::Receive(SecureChannel& channel, int fd, std::span<std::byte> room) noexcept {
  const bool news = supply_ == Supply::kAnnounced;
  if (news) supply_ = Supply::kPossible;
  const ssize_t result = channel.Receive(fd, room, news, !hangup_ && !stops_short_);
  if (result <= 0) supply_ = Supply::kNone;
  return result;
}

ssize_t ReadSide::Peek(int fd, std::span<std::byte> room) noexcept {
  ssize_t result = 0;
  do {
    result = SocketOps::Peek(fd, room.data(), room.size());
  } while (result == -EINTR);
  if (result <= 0) supply_ = Supply::kNone;
  return result;
}

}  // namespace reactor
