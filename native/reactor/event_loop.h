#pragma once

#include <array>
#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "reactor/acceptor.h"
#include "reactor/arrival.h"
#include "reactor/clock.h"
#include "reactor/connection.h"
#include "reactor/connection_table.h"
#include "reactor/connector.h"
#include "reactor/loop_handler.h"
#include "reactor/output_budget.h"
#include "reactor/partial_frames.h"
#include "reactor/poller.h"
#include "reactor/preface.h"
#include "reactor/refusal.h"
#include "reactor/ring_memory.h"
#include "reactor/secure_channel.h"
#include "reactor/thread_check.h"
#include "reactor/timer_queue.h"
#include "reactor/timer_wheel.h"
#include "reactor/waiting_output.h"

namespace reactor {

struct LoopOptions {
  ConnectionOptions connection;
  SocketOptions socket;
  std::size_t max_partial_bytes = 128 * 1024 * 1024;  // of input that cannot be delivered yet
  /// Shared by the loops of a group; null: what waits for peers has no limit in all.
  OutputBudget* output_budget = nullptr;
  /// What connections that are dialled are secured by; null: they are not.
  std::shared_ptr<const SecureContext> dial_security;
  /// Called on the loop's thread for each connection that ended; may be empty. `counted`: the peer
  /// that the AcceptFilter is to hear of; may be null.
  std::function<void(const Endpoint* counted)> on_closed;
  /// Likewise for each that was dialled, before it opens.
  std::function<void()> on_dialled;
};

/// One reactor: a poller, its connections, its timers. Knows nothing of who drives it: either its
/// own thread calls Run(), or a host loop calls Turn() whenever descriptor() is readable or
/// NextDeadline() has come. Everything belongs to that thread unless marked otherwise.
class EventLoop {
 public:
  using Task = std::function<void()>;

  static constexpr std::size_t kMaxListeners = 256;

  /// `handler` must outlive the loop. Throws std::system_error.
  EventLoop(LoopOptions options, LoopHandler& handler);
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop();

  // --- driving ---------------------------------------------------------------

  /// Turns until Stop().
  void Run();
  /// One turn; waits at most `max_wait_ms` (-1: until something happens) for its first event.
  /// Returns HasWork().
  bool Turn(int max_wait_ms);
  /// Carries out waiting commands outside a turn (host-driven loops, after JavaScript ran).
  void RunCommands();
  /// True while work is left that no event will announce.
  [[nodiscard]] bool HasWork() noexcept;
  /// When Turn() is wanted even though no descriptor is ready.
  [[nodiscard]] std::optional<Nanoseconds> NextDeadline() const noexcept;
  [[nodiscard]] int descriptor() const noexcept { return poller_.descriptor(); }

  // --- safe from any thread ----------------------------------------------------

  void Stop() noexcept;
  /// Queues `task` for the loop's thread.
  void Post(Task task);
  /// Ends the loop's sleep, if it sleeps: one system call then, none otherwise.
  void Wake() noexcept;
  /// Ends the current or next wait in any case.
  void WakeAlways() noexcept { poller_.Wakeup(); }
  [[nodiscard]] std::optional<ByteCounts> BytesOf(std::uint32_t slot,
                                                  std::uint32_t generation) const noexcept {
    return table_.BytesOf(slot, generation);
  }
  /// Sockets that never became an open connection, for that cause.
  [[nodiscard]] std::uint64_t refused(Refusal cause) const noexcept {
    return refused_[static_cast<std::size_t>(cause)].load(std::memory_order_relaxed);
  }

  // --- the loop's thread ---------------------------------------------------------

  /// Starts accepting on one more `listener`, whose name is `file` if it is a Unix socket. Throws
  /// std::system_error.
  void Listen(FileDescriptor listener, Acceptor::Callback on_accept, SocketFile file = {});
  /// Stops accepting where it stands. Also from the owner's thread once the loop's has ended.
  void StopListening() noexcept { acceptors_.clear(); }
  /// Makes a connection of it. Null (and the socket closed) when that fails.
  Connection* Adopt(Arrival arrival);
  [[nodiscard]] Connection* Find(std::uint32_t slot, std::uint32_t generation) noexcept {
    assert(thread_.IsCurrent());
    return table_.Find(slot, generation);
  }
  /// Stops accepting, once what waits to be accepted is, and ends what has not opened. `reads_on`:
  /// OnQuiesced() comes when each connection was announced. Otherwise when what the kernel already
  /// holds of each was delivered; then reading has stopped.
  void Quiesce(bool reads_on = false);
  /// Both cancel the dials that are under way.
  void CloseAll(CloseReason reason);
  void AbortAll(CloseReason reason);

  [[nodiscard]] Connector& connector() noexcept { return connector_; }
  [[nodiscard]] TimerQueue& timers() noexcept { return timers_; }
  [[nodiscard]] std::size_t connection_count() const noexcept { return table_.size(); }
  /// Connections for which there is memory.
  [[nodiscard]] std::size_t connection_capacity() const noexcept { return table_.capacity(); }

  // --- for Connection, Acceptor, Connector and TimerQueue --------------------------

  [[nodiscard]] const ThreadCheck& thread() const noexcept { return thread_; }
  [[nodiscard]] const LoopOptions& options() const noexcept { return options_; }
  [[nodiscard]] LoopHandler& handler() noexcept { return handler_; }
  [[nodiscard]] Poller& poller() noexcept { return poller_; }
  [[nodiscard]] TimerWheel& wheel() noexcept { return wheel_; }
  /// The clock, read once a turn.
  [[nodiscard]] Nanoseconds now() const noexcept { return now_; }
  [[nodiscard]] std::span<std::byte> scratch() noexcept;
  [[nodiscard]] PollToken TokenOf(const Connection& connection) const noexcept {
    return PollToken{connection.generation()} << 32U | connection.slot();
  }
  void Schedule(Connection& connection);
  /// Keeps the earlier of two deadlines, so that a later one costs nothing until it is due.
  void ArmTimer(TimerNode& node, Nanoseconds deadline) noexcept;
  void OnConnectionClosed(const Endpoint* counted) noexcept;
  /// Bytes that the connection being served may read in this turn, to keep or to drop.
  [[nodiscard]] std::size_t ReadShare() const noexcept;
  /// Whether handshakes have not had their part of this turn yet.
  [[nodiscard]] bool MayShakeHands() const noexcept;
  void CountHandshake(Nanoseconds took) noexcept { shaking_hands_ += took; }
  [[nodiscard]] bool short_reads_tell_the_end() const noexcept { return short_reads_tell_the_end_; }
  void CountReceived(std::size_t bytes) noexcept { received_ += bytes; }
  void OnFinalReadDone() noexcept { --final_reads_; }
  [[nodiscard]] RingMemory& ring_memory() noexcept { return ring_memory_; }
  [[nodiscard]] WaitingOutput& waiting_output() noexcept { return waiting_output_; }
  [[nodiscard]] PartialFrames& partial_frames() noexcept { return partial_frames_; }
  /// Gives up incomplete frames, the oldest first, until their budget holds.
  void ShedPartialFrames() noexcept;
  /// Told to the handler at the end of a turn: a failure may come from a task, outside its events.
  void ReportFailure(LoopFailure failure, int error);
  /// Counts a client that was hung up on for lack of descriptors.
  void CountShed() noexcept { Count(Refusal::kDescriptors); }
  /// Counts one, and has the handler told at the end of a turn. `step` (may be null) says what was
  /// wrong.
  void OnRefused(Refusal cause, const Endpoint& remote, const PrefaceStep* step = nullptr) noexcept;

 private:
  [[nodiscard]] int WaitLimit(int max_wait_ms) noexcept;
  /// Of the acceptor at that place.
  static constexpr PollToken ListenerToken(std::size_t index) noexcept {
    return kWakeupToken - 1 - index;
  }
  void Dispatch(PollToken token, Ready ready) noexcept;
  void RunTasks();
  void ServeReady();
  /// Whether both lists of connections have room for one more connection now.
  bool MakeRoomInLists() noexcept;
  /// Connections have gone, and with them the highest slots.
  void OnFewerSlots();
  void BeginFinalRead(Connection& connection);
  void EmitQuiesced();
  void EmitFailures();
  void EmitRefusals();
  void Count(Refusal cause) noexcept {
    refused_[static_cast<std::size_t>(cause)].fetch_add(1, std::memory_order_relaxed);
  }
  [[nodiscard]] bool OwesQuiesced() const noexcept {
    return quiescing_ && !quiesced_ && final_reads_ == 0 && AllAnnounced();
  }
  [[nodiscard]] bool AllAnnounced() const noexcept;

  ThreadCheck thread_;
  LoopOptions options_;
  LoopHandler& handler_;
  Poller poller_;
  Nanoseconds now_;
  TimerWheel wheel_;
  TimerQueue timers_;
  RingMemory ring_memory_;  // before the connections, whose rings give it back
  ConnectionTable table_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  Connector connector_;
  const bool short_reads_tell_the_end_;
  // Both have room for all connections, so that scheduling one needs no memory.
  std::vector<Connection*> ready_;              // to be served this turn or the next
  std::vector<Connection*> serving_;            // scratch of ServeReady()
  const std::unique_ptr<std::byte[]> scratch_;  // made with the loop: later there may be no memory
  std::size_t received_ = 0;                    // bytes in this turn
  Nanoseconds shaking_hands_ = 0;               // time of this turn
  std::size_t final_reads_ = 0;
  PartialFrames partial_frames_;
  WaitingOutput waiting_output_;
  bool quiescing_ = false;
  bool reads_on_ = false;  // while quiescing, and afterwards
  bool quiesced_ = false;
  std::array<Nanoseconds, 2> last_failure_{};
  std::array<int, 2> owed_failures_{};  // errno by kind; 0: none
  std::array<Nanoseconds, kRefusals> last_report_{};
  std::array<std::uint64_t, kRefusals> reported_{};  // of those counted
  std::vector<RefusalReport> owed_reports_;

  std::atomic<bool> sleeping_{false};
  std::atomic<bool> stopped_{false};
  std::atomic<bool> has_tasks_{false};
  std::array<std::atomic<std::uint64_t>, kRefusals> refused_{};
  std::mutex tasks_mutex_;
  std::vector<Task> tasks_;  // guarded by tasks_mutex_
};

}  // namespace reactor
