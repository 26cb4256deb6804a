#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "reactor/arrival.h"
#include "reactor/clock.h"
#include "reactor/close_reason.h"
#include "reactor/connection_list.h"
#include "reactor/endpoint.h"
#include "reactor/frame_pace.h"
#include "reactor/loop_handler.h"
#include "reactor/partial_frames.h"
#include "reactor/poller/ready.h"
#include "reactor/preface.h"
#include "reactor/read_side.h"
#include "reactor/refusal.h"
#include "reactor/secure_channel.h"
#include "reactor/socket.h"
#include "reactor/timer_wheel.h"
#include "reactor/write_side.h"

namespace reactor {

class EventLoop;

inline constexpr std::size_t kCacheLine = 64;  // bytes, on most processors

/// Limits and timeouts of one connection; shared by all connections of a loop.
struct ConnectionOptions {
  std::size_t high_water_mark = 1024 * 1024;       // bytes of waiting output: pause reading
  std::size_t low_water_mark = 256 * 1024;         // bytes: resume reading, tell `drain`
  std::size_t max_send_buffer = 64 * 1024 * 1024;  // bytes of waiting output: close
  Nanoseconds idle_timeout = 0;                    // 0: never
  bool idle_on_received = false;                   // what is sent is no activity
  /// Silence within a frame; one that takes longer in all must come at kMinimumPace. 0: never
  Nanoseconds incomplete_frame_timeout = 0;
  Nanoseconds close_timeout = FromMilliseconds(5000);
  Nanoseconds half_close_timeout = FromMilliseconds(30000);
  bool start_paused = false;          // read nothing until Resume(), which admits
  Nanoseconds handshake_timeout = 0;  // to be established and admitted within; 0: never
};

/// One established stream socket and its state machine:
///
///   open ──Close()──▶ flushing ──output written──▶ fin-sent ──peer's FIN──▶ closed
///     └──────────────Abort(), errors, timeouts, at any moment──────────────▶ closed
///
/// One with a Preface is establishing before it is open: counted, but unknown to the handler, as it
/// stays when it comes to nothing. That is told by a count of refusals, and of a dial by
/// OnDialFailed(). When accepting ends, what cannot open there and then ends, too.
///
/// Once it was to close or to leave for shutdown, whatever it closes for, it waits in fin-sent only
/// until the peer's system has acknowledged all that was sent, where the kernel tells (Linux).
///
/// RefuseInput() leaves it open for output alone, until Close() or the close timeout.
///
/// Its two directions, ReadSide and WriteSide, have states of their own. What belongs together:
///
///   connection │ read side                           │ write side
///   ───────────┼─────────────────────────────────────┼─────────────────────────────────────
///   establ.    │ open, paused                        │ open
///   open       │ any                                 │ open, fin-wanted, fin-sent
///   flushing   │ dropping, ended                     │ fin-wanted
///   fin-sent   │ dropping                            │ fin-sent
///   closed     │ stopped                             │ closed
///
/// Owned by its loop's ConnectionTable; every method belongs to the loop's thread, except
/// bytes_written() and bytes_received(). Events wait as bits in `pending_` until the handler has
/// room for them.
class alignas(kCacheLine) Connection final : public TimerTarget {
 public:
  enum class State : std::uint8_t { kFree, kClosed, kEstablishing, kOpen, kFlushing, kFinSent };

  /// What Serve() leaves.
  enum class Served : std::uint8_t {
    kAll,       // nothing more to do now
    kMore,      // it is to be served again
    kReleased,  // its last event was delivered: the slot may be freed
  };

  Connection() noexcept { timer_.target = this; }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() = default;

  [[nodiscard]] std::uint32_t slot() const noexcept { return slot_; }
  /// Changes with each use of the slot: (slot, generation) names a connection for ever.
  [[nodiscard]] std::uint32_t generation() const noexcept {
    return generation_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] EventLoop& loop() noexcept { return *loop_; }
  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] int fd() const noexcept { return socket_.get(); }
  [[nodiscard]] const Endpoint& remote() const noexcept { return remote_; }
  /// The dial it came of; 0 when it was accepted.
  [[nodiscard]] DialToken dial() const noexcept { return dial_; }
  /// Which of its group's listeners accepted it; 0 when it was dialled.
  [[nodiscard]] std::uint16_t listener() const noexcept {
    return static_cast<std::uint16_t>(listener_);
  }
  /// What encrypts it, all that is counted here being plaintext; null: nothing does.
  [[nodiscard]] const SecureChannel* channel() const noexcept { return channel_.get(); }
  /// What it went through; null once it was announced.
  [[nodiscard]] const Preface* preface() const noexcept { return preface_.get(); }
  /// Bytes that wait in this process.
  [[nodiscard]] std::size_t buffered() const noexcept { return write_.waiting(); }
  /// Bytes the kernel took so far. Safe from any thread.
  [[nodiscard]] std::uint64_t bytes_written() const noexcept { return write_.bytes_written(); }
  /// Whole frames or not. Safe from any thread.
  [[nodiscard]] std::uint64_t bytes_received() const noexcept { return read_.bytes_received(); }

  /// Sends `parts` in order: straight to the kernel while it takes them, the rest is copied.
  /// Without memory for that the connection ends, reason error. Ignored after ShutdownWrite(),
  /// Close() or Abort().
  void Send(std::span<const std::span<const std::byte>> parts) noexcept;
  /// Asks for one OnFlushed() with every progress until all that was sent so far is written.
  void NotifyFlushed() noexcept;
  /// Asks for one OnDrain() once output is at or below the low-water mark.
  void NotifyDrained() noexcept;

  /// Sends FIN after pending output; reading goes on. Idempotent.
  void ShutdownWrite() noexcept;
  /// Flushes, sends FIN, waits for the peer's within the close timeout. The first reason stays.
  void Close(CloseReason reason) noexcept;
  /// What came is no frame (`error` says why; 0: the other side knows): nothing more of it is
  /// taken. An accepted connection stays open for what is still owed to frames before; it is told
  /// of as if the peer had sent FIN, and ends within the close timeout, reason protocol whatever
  /// hastens the end. Nothing is owed on one that was dialled: it ends at once. Idempotent.
  void RefuseInput(int error) noexcept;
  /// Ends at once. Idempotent.
  void Abort(CloseReason reason, int error = 0) noexcept;

  void Pause() noexcept;
  void Resume() noexcept;

  /// From now on this connection's own idle timeout; 0: never.
  void SetIdleTimeout(Nanoseconds timeout) noexcept;
  /// From now on it closes for `reason` when nothing was received for `quiet` (0: never of itself)
  /// and the handler owes nothing: OnIdle() asks, as with an idle timeout, which this one replaces.
  /// The last call counts, and its time begins with it.
  void Leave(Nanoseconds quiet, CloseReason reason) noexcept;
  /// The handler's answer to OnIdle(): ends the connection, unless something has come meanwhile.
  void ExpireIdle() noexcept;
  /// The handler's later answer to OnIdle(): the idle time begins anew.
  void RestartIdle() noexcept;

  /// The handler's word of what it keeps of the input, after each CommitRead() in which that
  /// changed. Starts and stops the clock of incomplete frames, and counts towards their budget:
  /// above it the oldest is given up, which may be this one.
  void SetKeptInput(const KeptInput& kept) noexcept;

  /// From now on its bytes go through `channel`, whose handshake is done. Before it opens.
  void Secure(std::unique_ptr<SecureChannel> channel) noexcept;

  // --- for the steps of its preface ----------------------------------------

  /// One recv(): bytes, 0 at the peer's end, or -errno. After -EAGAIN the step is called again when
  /// there is more. Peek() leaves them there.
  ssize_t Take(std::span<std::byte> room) noexcept;
  ssize_t Peek(std::span<std::byte> room) noexcept;
  /// It is that peer's from now on. `counted`: as Arrival's; until now it was not.
  void BelongTo(const Endpoint& peer, bool counted) noexcept;

  // --- called by the EventLoop only ---------------------------------------

  void Open(EventLoop& loop, std::uint32_t slot, Arrival arrival) noexcept;
  /// Ends it unless what the kernel holds is enough for it to open. Harmless when it has.
  void EstablishNow() noexcept;
  /// Takes what the poller reported.
  void OnReady(Ready ready) noexcept;
  /// Delivers what is due: open, received bytes, signals, close.
  Served Serve();
  /// Reads what the kernel holds now, once, and then no more; the loop hears when that is done.
  void BeginFinalRead() noexcept;
  void OnDeadline() override;
  void MarkFree() noexcept;
  /// What holds between any two calls: nothing that is due has been forgotten. For assertions.
  [[nodiscard]] bool IsConsistent() const noexcept;

 private:
  friend class ConnectionTable;
  friend class EventLoop;
  friend class PartialFrames;
  friend class WaitingOutput;

  enum Pending : std::uint8_t {
    kOpenEvent = 1,
    kEndEvent = 2,
    kDrainEvent = 4,
    kFlushedEvent = 8,
    kCloseEvent = 16,
    kIdleEvent = 32,
    kStepEvent = 64,  // for its preface; once closed: it never opened, and its slot may be freed
  };

  void Enter(State next) noexcept;
  /// Likewise for what is received.
  void Enter(ReadSide::State next) noexcept;
  [[nodiscard]] bool MayRead() const noexcept { return read_.IsDue(write_.is_full()); }
  void OnReadyToEstablish(Ready ready) noexcept;
  bool Establish() noexcept;  // whether it is open now
  void OpenEstablished() noexcept;
  void Refuse(Refusal cause, int error) noexcept;
  ssize_t AwaitMore(ssize_t result, bool announced) noexcept;
  bool Announce() noexcept;  // false: the handler had no room, or no memory
  bool Read() noexcept;      // false: the handler had no room
  bool ReadOn();
  void Discard() noexcept;
  /// Nothing of what the handler keeps will be delivered.
  void DropInput() noexcept;
  /// Nor is anything that comes.
  void IgnoreInput() noexcept;
  void LookForEnd() noexcept;
  void AwaitEnd() noexcept;
  std::size_t Receive(std::span<std::byte> room) noexcept;
  void OnChannelWritable() noexcept;
  ssize_t ReceiveFromSocket(std::span<std::byte> room) noexcept;
  WriteSide::Progress Write(WriteSide::Parts parts, std::size_t total) noexcept;
  bool EmitPending();  // false: the handler had no room
  void OnEndOfInput() noexcept;
  void OnReceiveError(int error) noexcept;
  void FlushOutput() noexcept;
  void OnProgress(WriteSide::Progress progress) noexcept;
  void OnSendFailure(int error) noexcept;
  void CountOutput() noexcept;
  void AfterOutput() noexcept;
  void OnOutputEmpty() noexcept;
  void Hasten() noexcept;
  void AwaitAcknowledgement() noexcept;
  void LookForAcknowledgement() noexcept;
  void EndIdle() noexcept;
  void SendFin() noexcept;
  void Finish(CloseReason reason, int error) noexcept;
  void Raise(Pending event) noexcept;
  void Withdraw(std::uint8_t events) noexcept { pending_ &= static_cast<std::uint8_t>(~events); }
  void Touch() noexcept;
  void ArmTimer() noexcept;
  [[nodiscard]] bool IsIdle(Nanoseconds now) const noexcept;
  /// Output waits that is to be written before the connection may leave.
  [[nodiscard]] bool OwesOutput() const noexcept { return leaving_ && !write_.empty(); }
  /// The peer has ended its side, or the connection is broken, and nobody reads to find out which.
  [[nodiscard]] bool HasUnseenEnd() const noexcept {
    return read_.hung_up() && state_ != State::kClosed && !MayRead();
  }
  void RetrySoon() noexcept;
  void Retry() noexcept;
  static void CheckLayout() noexcept;

  // Hot fields first: a message that is read and answered at once touches the first two cache
  // lines, which end within the write side.
  EventLoop* loop_ = nullptr;
  FileDescriptor socket_;
  std::uint32_t slot_ = 0;
  std::atomic<std::uint32_t> generation_{0};
  State state_ = State::kFree;
  std::uint8_t pending_ = 0;
  bool scheduled_ = false;  // on the loop's ready list
  CloseReason reason_ = CloseReason::kLocal;
  bool refused_ : 1 = false;  // RefuseInput(): `error_` stays, and the reason is kProtocol
  bool counted_ : 1 = false;  // as Arrival's
  bool leaving_ = false;      // Leave()
  bool hastened_ = false;     // its loop stops: the peer's FIN is not waited for
  bool idle_asked_ = false;   // OnIdle() has not been answered
  int error_ = 0;
  Nanoseconds last_activity_ = 0;  // kept up while there is an idle timeout
  Nanoseconds idle_timeout_ = 0;   // 0: never
  ReadSide read_;
  WriteSide write_;
  FramePace pace_;
  ConnectionLink partial_link_;
  Nanoseconds admit_by_ = 0;        // established, too; 0: no limit, or admitted
  Nanoseconds close_deadline_ = 0;  // 0: none
  Nanoseconds retry_at_ = 0;        // 0: none
  Nanoseconds acknowledge_by_ = 0;  // when to look for the peer's acknowledgement; 0: not
  TimerNode timer_;
  // One word for both: CheckLayout() says why that is enough.
  DialToken dial_ : 24 = 0;
  std::uint32_t listener_ : 8 = 0;
  Endpoint remote_;
  std::unique_ptr<SecureChannel> channel_;
  std::unique_ptr<Preface> preface_;  // until it was announced, or its slot is free
};

}  // namespace reactor
