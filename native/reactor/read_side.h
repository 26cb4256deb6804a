#pragma once

#include <sys/types.h>

#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

namespace reactor {

class SecureChannel;

/// What a connection receives: what becomes of it, and whether there may be something to receive.
///
///   open ──FIN known of, behind bytes that nobody reads──▶ ending
///     │                                                      │
///     ├───────────────FIN received───────────────────────────┴──▶ ended
///     ├───────────────final read done──▶ stopped                    ▲
///     └───────────────refused, or the connection closes──▶ dropping ┘
///
/// In open and ending what comes goes to the handler; `ending` also leads wherever `open` does, and
/// `stopped` to dropping. Every state leads to stopped when the connection has closed.
///
/// A part of its Connection, and of the loop's thread; bytes_received() is safe from any.
class ReadSide {
 public:
  enum class State : std::uint8_t {
    kOpen,
    kEnding,    // the end is near: the time within which it is to be read runs
    kEnded,     // recv() returned 0: another edge can only tell of a failure
    kDropping,  // what comes is read and dropped
    kStopped,   // nothing is read
  };

  /// The connection is new. `stops_short`: see OnUrgentData().
  void Open(bool paused, bool stops_short) noexcept;
  /// It has closed; what is unread is gone. Returns as Enter() does.
  bool Close() noexcept;
  /// Its slot is free.
  void Reset() noexcept;

  [[nodiscard]] State state() const noexcept { return state_; }
  /// Returns whether a final read ends with that.
  bool Enter(State next) noexcept;
  /// What comes goes to the handler.
  [[nodiscard]] bool delivers() const noexcept {
    return state_ == State::kOpen || state_ == State::kEnding;
  }
  [[nodiscard]] bool ended() const noexcept { return state_ == State::kEnded; }

  /// There is something to be done now. `output_full`: the peer does not read either, so nothing
  /// more is taken from it.
  [[nodiscard]] bool IsDue(bool output_full) const noexcept {
    if (delivers()) return (readable() || unparsed_) && !paused_ && !output_full;
    return readable() && state_ != State::kStopped;
  }

  // --- what the poller tells ---------------------------------------------------------------------

  void OnEdge() noexcept { supply_ = Supply::kAnnounced; }
  /// The peer has sent FIN, or the connection broke: no further edge is to come.
  void OnHangup() noexcept { hangup_ = true; }
  /// From now on a call may leave bytes behind: only EAGAIN tells that nothing is left.
  void OnUrgentData() noexcept { stops_short_ = true; }
  [[nodiscard]] bool hung_up() const noexcept { return hangup_; }

  /// The kernel may hold bytes.
  [[nodiscard]] bool readable() const noexcept { return supply_ != Supply::kNone; }
  /// An edge promised bytes, and none were received since.
  [[nodiscard]] bool is_announced() const noexcept { return supply_ == Supply::kAnnounced; }
  /// It may, though no edge says so.
  void Suspect() noexcept {
    if (supply_ == Supply::kNone) supply_ = Supply::kPossible;
  }
  /// One recv(), whose result it returns: bytes, 0 at the end, or -errno.
  ssize_t Receive(int fd, std::span<std::byte> room) noexcept;
  /// Likewise, of what `channel` makes of the socket's bytes.
  ssize_t Receive(SecureChannel& channel, int fd, std::span<std::byte> room) noexcept;

  /// What is received goes through a channel.
  [[nodiscard]] bool is_secure() const noexcept { return secure_; }
  void Secure() noexcept { secure_ = true; }
  /// Likewise, and what is there stays there.
  ssize_t Peek(int fd, std::span<std::byte> room) noexcept;

  // --- who holds reading up ----------------------------------------------------------------------

  void Pause() noexcept { paused_ = true; }
  void Resume() noexcept { paused_ = false; }
  [[nodiscard]] bool paused() const noexcept { return paused_; }

  /// The handler keeps bytes that it had no room for, or no turn: to be offered again before more,
  /// unless they are wanted no more meanwhile.
  void KeepUnparsed() noexcept { unparsed_ = delivers(); }
  /// They are offered now, or nobody wants them any more.
  void ClearUnparsed() noexcept { unparsed_ = false; }
  [[nodiscard]] bool unparsed() const noexcept { return unparsed_; }
  [[nodiscard]] bool has_unread() const noexcept { return readable() || unparsed_; }

  // --- the final read ----------------------------------------------------------------------------

  /// What the kernel holds now is read, `limit` (> 0) bytes at most, and then no more.
  void BeginFinalRead(std::uint64_t limit) noexcept {
    assert(delivers());
    final_read_left_ = limit;
    Suspect();
  }
  [[nodiscard]] bool in_final_read() const noexcept { return final_read_left_ != 0; }
  /// False when that was the last of it.
  bool CountFinalRead(std::size_t bytes) noexcept {
    if (bytes >= final_read_left_) return false;
    final_read_left_ -= bytes;
    return true;
  }

  // --- counts ------------------------------------------------------------------------------------

  /// Whole frames or not, but not what was dropped.
  [[nodiscard]] std::uint64_t bytes_received(
      std::memory_order order = std::memory_order_relaxed) const noexcept {
    return bytes_received_.load(order);
  }
  void CountReceived(std::size_t bytes) noexcept {
    bytes_received_.store(bytes_received() + bytes, std::memory_order_relaxed);
  }
  /// Bytes that the handler keeps.
  [[nodiscard]] std::size_t kept() const noexcept { return kept_; }
  void SetKept(std::size_t bytes) noexcept { kept_ = bytes; }

 private:
  /// Of what the kernel holds.
  enum class Supply : std::uint8_t {
    kNone,       // until the next edge
    kPossible,   // EAGAIN has not been seen
    kAnnounced,  // and an edge has, since something was received
  };

  State state_ = State::kStopped;
  Supply supply_ = Supply::kNone;
  bool hangup_ = false;
  bool stops_short_ = false;
  bool paused_ = false;
  bool unparsed_ = false;
  bool secure_ = false;
  std::size_t kept_ = 0;
  std::atomic<std::uint64_t> bytes_received_{0};
  std::uint64_t final_read_left_ = 0;  // 0: no final read is under way
};

}  // namespace reactor
