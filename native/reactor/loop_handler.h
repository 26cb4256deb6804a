#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "reactor/close_reason.h"
#include "reactor/refusal.h"

namespace reactor {

class Connection;

using TimerId = std::uint32_t;

/// Names a dial to whoever asked for it: 1 to kMaxDialToken; 0 stands for "accepted".
using DialToken = std::uint32_t;
inline constexpr DialToken kMaxDialToken = 0xffffff;

/// What the handler made of received bytes.
enum class ReadVerdict : std::uint8_t {
  kContinue,      // all taken; room for more may be asked for
  kNoRoom,        // kept, but nothing more can be taken until room is made
  kLater,         // kept, as others are to have their turn before more of it is taken
  kInvalidFrame,  // what came is no frame: take no more from this connection, and have it end
  kFrameTooLong,  // the same, as the frame is longer than is taken
};

/// Failures that belong to no connection, reported for a log line.
enum class LoopFailure : std::uint8_t { kAccept = 0, kPoll = 1 };

/// What an EventLoop tells whoever consumes its connections. All calls come on the loop's thread,
/// within a turn. A function that returns false had no room for the event: the loop keeps it and
/// offers it again when AwaitRoom() says so; events of one connection never overtake each other.
class LoopHandler {
 public:
  virtual ~LoopHandler() = default;

  /// True when commands from the other side wait; decides whether the loop may sleep.
  [[nodiscard]] virtual bool HasCommands() const noexcept = 0;
  /// Carries them out. Called once or more a turn.
  virtual void RunCommands() = 0;

  /// True when at least one event and some bytes can be taken. If not, the loop is woken once they
  /// can be.
  [[nodiscard]] virtual bool AwaitRoom() noexcept = 0;
  /// Encloses all On…() and read calls of one turn.
  virtual void BeginEvents() = 0;
  virtual void EndEvents() = 0;

  /// May throw std::bad_alloc, as PrepareRead() and CommitRead(): the connection ends then, reason
  /// error. Is called again until it returned true.
  virtual bool OnOpen(Connection& connection) = 0;
  /// Where the next received bytes go; empty when there is no room.
  virtual std::span<std::byte> PrepareRead(Connection& connection) = 0;
  /// `count` (>= 0) bytes were written to the start of the span PrepareRead() gave. With 0 it is
  /// asked to go on with what it kept when it last said kNoRoom.
  virtual ReadVerdict CommitRead(Connection& connection, std::size_t count) = 0;
  /// What it keeps of that connection's input is wanted no more. Also outside of BeginEvents() and
  /// EndEvents(), and within CommitRead() by way of Connection::SetKeptInput().
  virtual void DropInput(Connection& connection) noexcept = 0;
  /// Nothing more is received: the peer sent FIN, or what is no frame. Nothing was kept back. Twice
  /// where it sent FIN and the other side refuses what it sent before.
  virtual bool OnEnd(Connection& connection) = 0;
  /// Output fell to the low-water mark after the other side asked to be told.
  virtual bool OnDrain(Connection& connection) = 0;
  /// The kernel has taken `connection.bytes_written()` bytes.
  virtual bool OnFlushed(Connection& connection) = 0;
  /// Nothing was received (nor sent) for the idle timeout. If the handler owes no reply it says so
  /// by Connection::ExpireIdle(); else it calls RestartIdle() when it owes none any more.
  virtual bool OnIdle(Connection& connection) = 0;
  /// The last event of a connection; its slot is free when this returned true.
  virtual bool OnClose(Connection& connection, CloseReason reason, int error) = 0;
  /// After a burst of connections: none has a slot of `slots` or above any more.
  virtual void OnFewerSlots(std::size_t slots) noexcept = 0;
  /// A dial came to nothing. One that connects is told of by OnOpen().
  virtual bool OnDialFailed(DialToken token, int error) = 0;

  /// `skipped` ticks fell due while the previous one was not acknowledged.
  virtual bool OnTimer(TimerId id, std::uint32_t skipped) = 0;
  /// After Quiesce(): everything the kernel held has been delivered.
  virtual bool OnQuiesced() = 0;
  /// At most one a second and kind. Best effort.
  virtual void OnFailure(LoopFailure failure, int error) = 0;
  /// Connections that never opened. At most one a second and cause. Best effort.
  virtual void OnRefused(const RefusalReport& report) = 0;
};

}  // namespace reactor
