// What a connection reads.
#include "reactor/connection.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstddef>
#include <new>
#include <utility>

#include "reactor/error.h"
#include "reactor/event_loop.h"
#include "reactor/loop_handler.h"

namespace reactor {
namespace {

/// Whether a peer that begins with these bytes speaks TLS.
bool LooksLikeTls(std::span<const std::byte> begin) noexcept {
  return begin.size() >= 2 && begin[0] == std::byte{0x16} && begin[1] == std::byte{0x03};
}

constexpr std::size_t kFinalReadBudget = 1024 * 1024;  // bytes read at most when the server stops

}  // namespace

// What the handler keeps of a peer's input is this connection's memory: where there is none, it
// ends, and not the process.
bool Connection::Read() noexcept {
  try {
    return ReadOn();
  } catch (const std::bad_alloc&) {
    Abort(CloseReason::kError, ENOMEM);
    return true;
  }
}

bool Connection::ReadOn() {
  LoopHandler& handler = loop_->handler();
  std::size_t budget = loop_->ReadShare();
  // The handler may close, refuse or pause: look again each time.
  while (budget > 0 && read_.delivers() && MayRead()) {
    std::size_t count = 0;
    std::span<std::byte> room;
    if (!read_.unparsed()) {
      room = handler.PrepareRead(*this);
      if (room.empty()) return false;
      count = Receive(room.first(std::min(room.size(), budget)));
      if (count == 0) return true;
      read_.CountReceived(count);
      Touch();
      if (read_.state() == ReadSide::State::kEnding) AwaitEnd();
    }
    read_.ClearUnparsed();
    switch (handler.CommitRead(*this, count)) {
      case ReadVerdict::kContinue:
        break;
      case ReadVerdict::kNoRoom:
        read_.KeepUnparsed();
        return false;
      case ReadVerdict::kLater:
        read_.KeepUnparsed();
        return true;
      case ReadVerdict::kInvalidFrame:
        RefuseInput(bytes_received() == count && LooksLikeTls(room.first(count)) ? EPROTONOSUPPORT
                                                                                 : EBADMSG);
        return true;
      case ReadVerdict::kFrameTooLong:
        RefuseInput(EMSGSIZE);
        return true;
    }
    budget -= std::min(budget, count);
    if (read_.in_final_read() && !read_.CountFinalRead(count)) {
      Enter(ReadSide::State::kStopped);
      return true;
    }
  }
  return true;
}

// While closing, and once its input is refused, what the peer still sends is read and dropped:
// unread bytes would turn our FIN into a reset and could cost the peer the end of our output.
void Connection::Discard() noexcept {
  const std::span<std::byte> scratch = loop_->scratch();
  for (std::size_t budget = loop_->ReadShare(); read_.readable() && budget > 0;) {
    budget -= Receive(scratch.first(std::min(scratch.size(), budget)));
  }
}

// Nobody reads, and the peer has sent FIN or the connection broke. A reset is the end at once, and
// so is a FIN with nothing in front of it. Bytes in front of it are to be delivered first, but not
// at any time: whoever never reads them keeps the connection no longer than one who never replies.
void Connection::LookForEnd() noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  if (SocketOps::GetOption(fd(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error != 0) {
    OnReceiveError(error);
    return;
  }
  if (!read_.delivers()) return;
  std::byte next{};
  ssize_t result = 0;
  do {
    result = SocketOps::Peek(fd(), &next, sizeof next);
  } while (result == -EINTR);
  // Behind a channel the word of the end goes before FIN: what is left is to be read to tell.
  if (result == 0 && !read_.unparsed() && !read_.is_secure()) {
    OnEndOfInput();
  } else if (result >= 0) {
    if (read_.state() == ReadSide::State::kEnding) return;
    Enter(ReadSide::State::kEnding);
    AwaitEnd();
  } else if (!WouldBlock(result)) {
    OnReceiveError(static_cast<int>(-result));
  }
}

// Reading on makes the time begin anew.
void Connection::AwaitEnd() noexcept {
  close_deadline_ = MonotonicNow() + loop_->options().connection.half_close_timeout;
  ArmTimer();
}

// Returns 0 when there is nothing now; what that means for the connection is then dealt with.
std::size_t Connection::Receive(std::span<std::byte> room) noexcept {
  const bool announced = read_.is_announced();
  const ssize_t result = ReceiveFromSocket(room);
  if (result > 0) {
    const auto count = static_cast<std::size_t>(result);
    loop_->CountReceived(count);
    return count;
  }
  if (result == 0) {
    OnEndOfInput();
  } else if (!WouldBlock(result)) {
    OnReceiveError(static_cast<int>(-result));
  } else if (announced) {
    // The edge promised bytes; should it have been used up, this brings it back. Who is not told
    // looks by himself.
    if (loop_->poller().Rearm(fd(), loop_->TokenOf(*this)) < 0) RetrySoon();
  }
  return 0;
}

ssize_t Connection::ReceiveFromSocket(std::span<std::byte> room) noexcept {
  if (read_.is_secure()) [[unlikely]]
    return read_.Receive(*channel_, fd(), room);
  return read_.Receive(fd(), room);
}

// Later edges tell of it again.
void Connection::OnEndOfInput() noexcept {
  DropInput();  // an incomplete frame
  if (state_ == State::kFinSent) {
    Finish(reason_, 0);
    return;
  }
  if (read_.ended()) return;
  const bool is_news = read_.delivers();
  Enter(ReadSide::State::kEnded);
  if (!is_news) return;
  AwaitEnd();
  Raise(kEndEvent);
}

void Connection::OnReceiveError(int error) noexcept {
  if (IsExhaustion(error)) {
    RetrySoon();
  } else if (error == EPROTO && read_.is_secure()) {
    Abort(CloseReason::kProtocol, error);
  } else if (state_ == State::kFinSent) {
    Finish(reason_, 0);  // everything was handed over: the peer merely hung up impolitely
  } else {
    Abort(IsPeerFailure(error) ? CloseReason::kReset : CloseReason::kError, error);
  }
}

void Connection::Secure(std::unique_ptr<SecureChannel> channel) noexcept {
  channel_ = std::move(channel);
  read_.Secure();
}

// What it owes the peer may have waited for that, and reading for what it owes.
void Connection::OnChannelWritable() noexcept {
  if (state_ == State::kClosed) return;
  if (write_.empty() && write_.state() == WriteSide::State::kFinWanted) OnOutputEmpty();
  if (state_ != State::kClosed && !read_.ended()) read_.Suspect();
}

void Connection::Pause() noexcept {
  read_.Pause();
  if (HasUnseenEnd()) loop_->Schedule(*this);  // it may have been seen in this very turn
}

void Connection::Resume() noexcept {
  if (state_ == State::kClosed) return;
  read_.Resume();
  admit_by_ = 0;
  if (read_.hung_up()) read_.Suspect();
  if (MayRead()) loop_->Schedule(*this);
  assert(IsConsistent());
}

void Connection::RefuseInput(int error) noexcept {
  if (state_ != State::kOpen || refused_) return;
  if (dial_ != 0) {
    Abort(CloseReason::kProtocol, error);
    return;
  }
  refused_ = true;
  error_ = error;
  IgnoreInput();
  const Nanoseconds deadline = MonotonicNow() + loop_->options().connection.close_timeout;
  close_deadline_ = close_deadline_ == 0 ? deadline : std::min(close_deadline_, deadline);
  ArmTimer();
  Raise(kEndEvent);
  assert(IsConsistent());
}

void Connection::SetKeptInput(const KeptInput& kept) noexcept {
  if (kept.bytes == 0 && read_.kept() == 0) return;
  if (!read_.delivers()) return;
  loop_->partial_frames().Update(*this, read_.kept(), kept);
  read_.SetKept(kept.bytes);
  if (!kept.incomplete) {
    pace_.Stop();
  } else if (loop_->options().connection.incomplete_frame_timeout != 0) {
    pace_.Progress(loop_->now(), kept.begun, bytes_received(), kept.bytes);
    ArmTimer();
  }
  loop_->ShedPartialFrames();
}

void Connection::DropInput() noexcept {
  read_.ClearUnparsed();
  pace_.Stop();
  if (read_.kept() == 0) return;
  loop_->partial_frames().Update(*this, read_.kept(), {});
  read_.SetKept(0);
  loop_->handler().DropInput(*this);
}

void Connection::IgnoreInput() noexcept {
  DropInput();
  if (read_.ended() || read_.state() == ReadSide::State::kDropping) return;
  Enter(ReadSide::State::kDropping);
}

void Connection::BeginFinalRead() noexcept {
  if (!read_.delivers()) {
    loop_->OnFinalReadDone();
    return;
  }
  read_.BeginFinalRead(kFinalReadBudget);  // the edge may not have been polled yet
  loop_->Schedule(*this);
}

}  // namespace reactor
