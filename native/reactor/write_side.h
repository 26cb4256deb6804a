#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "reactor/connection_list.h"
#include "reactor/ring_buffer.h"

namespace reactor {

class SecureChannel;

/// What a connection sends: what waits for the peer, and the FIN behind it.
///
///   open ──ShutdownWrite(), Close()──▶ fin-wanted ──output written──▶ fin-sent
///     └─────────────────the connection has closed────────┴──▶ closed ◀──┘
///
/// Output waits in open and fin-wanted only, and only while the kernel takes none. Behind a channel
/// the word of the end that goes before FIN may wait, too.
///
/// Through a channel, if there is one (else null), what is counted is plaintext of which the kernel
/// has taken all that the channel made of it.
///
/// A part of its Connection, and of the loop's thread; bytes_written() is safe from any.
class WriteSide {
 public:
  enum class State : std::uint8_t { kOpen, kFinWanted, kFinSent, kClosed };
  using Parts = std::span<const std::span<const std::byte>>;

  /// How far a write came.
  struct Progress {
    std::size_t written = 0;
    int error = 0;  // that it ended with; 0: everything is written
  };

  /// The connection is new. `memory`, of its output, must outlive it.
  void Open(RingMemory& memory) noexcept;
  /// The connection has closed: what waits is dropped. Returns whether anything did.
  bool Close() noexcept;
  /// Its slot is free.
  void Reset() noexcept;

  [[nodiscard]] State state() const noexcept { return state_; }
  /// More may be sent.
  [[nodiscard]] bool is_open() const noexcept { return state_ == State::kOpen; }
  /// What waits is to be followed by FIN.
  void WantFin() noexcept;
  /// Sends it, as the state is fin-wanted and nothing waits. Returns 0 or -errno; after -EAGAIN it
  /// is still wanted.
  int SendFin(int fd, SecureChannel* channel = nullptr) noexcept;

  /// Bytes that wait in this process.
  [[nodiscard]] std::size_t waiting() const noexcept { return output_.size(); }
  [[nodiscard]] bool empty() const noexcept { return output_.empty(); }
  /// The last write was taken whole, or the poller says that another one is worth it.
  [[nodiscard]] bool writable() const noexcept { return writable_; }
  void OnWritable() noexcept { writable_ = true; }

  /// `bytes` more are to be sent.
  void CountQueued(std::size_t bytes) noexcept { queued_ += bytes; }
  /// Writes `parts`, `total` (> 0) bytes, past what waits: nothing may. After an error the side is
  /// not writable.
  Progress Write(int fd, Parts parts, std::size_t total) noexcept;
  Progress Write(SecureChannel& channel, int fd, Parts parts, std::size_t total) noexcept;
  /// Writes what waits (something does) while the side is writable.
  Progress WriteWaiting(int fd, SecureChannel* channel = nullptr) noexcept;
  /// Has `parts` wait, but for the first `skip` bytes. False when there is no memory for all of
  /// them: what waits then is of no use.
  [[nodiscard]] bool Keep(Parts parts, std::size_t skip) noexcept;

  // --- what the application asked to be told -----------------------------------------------------

  /// Of what was queued so far something is not written.
  [[nodiscard]] bool owes_kernel() const noexcept { return bytes_written() < queued_; }
  /// To be told of every progress until all of that is written.
  void AwaitFlush() noexcept { flush_target_ = queued_; }
  /// Bytes were written: whether it is to be told.
  [[nodiscard]] bool TakeFlush() noexcept {
    if (flush_target_ == 0) return false;
    if (bytes_written() >= flush_target_) flush_target_ = 0;
    return true;
  }
  void AwaitDrain() noexcept { drain_awaited_ = true; }
  [[nodiscard]] bool TakeDrain() noexcept { return std::exchange(drain_awaited_, false); }

  // --- water marks -------------------------------------------------------------------------------

  /// Above the high-water mark, and since then not at or below the low one.
  [[nodiscard]] bool is_full() const noexcept { return full_; }
  void OnHighWater() noexcept { full_ = true; }
  /// Returns whether it was full.
  bool OnLowWater() noexcept { return std::exchange(full_, false); }

  // --- counts ------------------------------------------------------------------------------------

  /// Bytes the kernel took so far.
  [[nodiscard]] std::uint64_t bytes_written(
      std::memory_order order = std::memory_order_relaxed) const noexcept {
    return bytes_written_.load(order);
  }

  /// Bytes from its start that a message touches which is written at once.
  static constexpr std::size_t kHotSize = 40;

 private:
  friend class WaitingOutput;

  static void CheckLayout() noexcept;
  void CountWritten(std::size_t bytes) noexcept {
    bytes_written_.store(bytes_written() + bytes, std::memory_order_relaxed);
  }

  State state_ = State::kClosed;
  bool writable_ = true;
  bool full_ = false;
  bool drain_awaited_ = false;
  std::uint8_t rank_ = 0;  // WaitingOutput's
  std::uint64_t queued_ = 0;
  std::atomic<std::uint64_t> bytes_written_{0};
  std::uint64_t flush_target_ = 0;  // a count of bytes; 0: nobody asked
  RingBuffer output_;
  std::size_t counted_ = 0;  // bytes of it, as WaitingOutput knows
  ConnectionLink link_;      // WaitingOutput's
};

}  // namespace reactor
