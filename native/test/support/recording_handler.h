#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "reactor/clock.h"
#include "reactor/connection.h"
#include "reactor/event_loop.h"
#include "reactor/loop_handler.h"

namespace test {

/// All that a handler was told of one connection.
struct ConnectionRecord {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  reactor::DialToken dial = 0;
  std::uint16_t remote_port = 0;
  std::string received;  // empty when the handler does not keep bytes
  std::uint64_t received_bytes = 0;
  int reads = 0;
  int ends = 0;
  int drains = 0;
  int flushes = 0;
  int idles = 0;
  int drops = 0;              // of its kept input
  std::uint64_t flushed = 0;  // bytes_written() at the last OnFlushed()
  int closes = 0;
  reactor::CloseReason reason = reactor::CloseReason::kLocal;
  int error = 0;
  reactor::Nanoseconds opened_at = 0;
  reactor::Nanoseconds closed_at = 0;
};

struct TimerRecord {
  reactor::TimerId id = 0;
  std::uint32_t skipped = 0;
  reactor::Nanoseconds at = 0;
};

struct DialFailure {
  reactor::DialToken token = 0;
  int error = 0;
  bool operator==(const DialFailure&) const = default;
};

/// A LoopHandler that writes down what it is told, checks the order of events per connection as it
/// does (open, then reads, then one close), and can echo, refuse for lack of room and carry out
/// commands. Set the options before the loop runs; accessors and Do() are safe from any thread,
/// everything else belongs to the loop's.
class RecordingHandler final : public reactor::LoopHandler {
 public:
  static constexpr int kUnlimited = -1;

  // --- options -----------------------------------------------------------------

  bool echo = false;           // send back what is received
  bool keep_bytes = true;      // false: count only
  bool owes = false;           // a reply: OnIdle() is not answered
  bool out_of_memory = false;  // OnOpen() throws std::bad_alloc
  bool close_on_end = true;    // Close(kPeer) when the peer has sent FIN
  std::size_t read_size = 64 * 1024;
  std::size_t piece_size = 0;     // received bytes cost one room for each piece; 0: for all
  char protocol_error_at = '\0';  // a piece with this byte is no valid frame; '\0': never
  std::function<void(reactor::Connection&)> on_open;
  std::function<void(reactor::Connection&)> on_read;
  std::function<void(reactor::Connection&)> on_end;
  std::function<void(reactor::Connection&)> on_drain;
  std::function<void(reactor::Connection&)> on_flushed;
  std::function<void(reactor::Connection&)> on_close;
  std::function<void(reactor::TimerId)> on_timer;

  // --- safe from any thread ------------------------------------------------------

  /// Events that may be taken; kUnlimited at first. Wake the loop after making room.
  void SetRoom(int events) { room_.store(events); }
  /// Runs `command` on the loop's thread in its next turn.
  void Do(reactor::EventLoop& loop, std::function<void()> command);

  [[nodiscard]] int opened() const { return opened_.load(); }
  [[nodiscard]] int closed() const { return closed_.load(); }
  [[nodiscard]] std::uint64_t received() const { return received_.load(); }
  /// What OnFewerSlots() was told last.
  [[nodiscard]] std::size_t slots() const { return slots_.load(); }
  [[nodiscard]] int quiesced() const { return quiesced_.load(); }
  /// In the order of their opening.
  [[nodiscard]] std::vector<ConnectionRecord> records() const;
  [[nodiscard]] ConnectionRecord record(std::size_t index) const { return records().at(index); }
  [[nodiscard]] std::vector<TimerRecord> timers() const;
  [[nodiscard]] std::vector<DialFailure> failed_dials() const;
  [[nodiscard]] std::vector<std::pair<reactor::LoopFailure, int>> failures() const;
  [[nodiscard]] std::vector<reactor::RefusalReport> refusals() const;

  // --- LoopHandler -----------------------------------------------------------------

  [[nodiscard]] bool HasCommands() const noexcept override { return has_commands_.load(); }
  void RunCommands() override;
  [[nodiscard]] bool AwaitRoom() noexcept override { return room_.load() != 0; }
  void BeginEvents() override;
  void EndEvents() override;
  bool OnOpen(reactor::Connection& connection) override;
  std::span<std::byte> PrepareRead(reactor::Connection& connection) override;
  reactor::ReadVerdict CommitRead(reactor::Connection& connection, std::size_t count) override;
  void DropInput(reactor::Connection& connection) noexcept override;
  bool OnEnd(reactor::Connection& connection) override;
  bool OnDrain(reactor::Connection& connection) override;
  bool OnFlushed(reactor::Connection& connection) override;
  bool OnIdle(reactor::Connection& connection) override;
  bool OnClose(reactor::Connection& connection, reactor::CloseReason reason, int error) override;
  void OnFewerSlots(std::size_t slots) noexcept override { slots_.store(slots); }
  bool OnDialFailed(reactor::DialToken token, int error) override;
  bool OnTimer(reactor::TimerId id, std::uint32_t skipped) override;
  bool OnQuiesced() override;
  void OnFailure(reactor::LoopFailure failure, int error) override;
  void OnRefused(const reactor::RefusalReport& report) override;

 private:
  bool TakeRoom();
  template <typename Change>
  void Update(const reactor::Connection& connection, Change change);
  bool Deliver(reactor::Connection& connection, std::string piece);

  std::vector<std::byte> buffer_;
  std::map<std::uint64_t, std::size_t> open_;  // identity → index in records_
  std::map<std::uint64_t, std::string> kept_;  // received, for lack of room not delivered
  bool in_events_ = false;

  std::atomic<int> room_{kUnlimited};
  std::atomic<int> opened_{0};
  std::atomic<int> closed_{0};
  std::atomic<int> quiesced_{0};
  std::atomic<std::size_t> slots_{0};
  std::atomic<std::uint64_t> received_{0};
  std::atomic<bool> has_commands_{false};
  mutable std::mutex mutex_;
  std::vector<std::function<void()>> commands_;  // the rest is guarded by mutex_
  std::vector<ConnectionRecord> records_;
  std::vector<TimerRecord> timers_;
  std::vector<DialFailure> failed_dials_;
  std::vector<std::pair<reactor::LoopFailure, int>> failures_;
  std::vector<reactor::RefusalReport> refusals_;
};

/// What is kept of a frame that began with the bytes received last.
constexpr reactor::KeptInput IncompleteFrame(std::size_t bytes) {
  return {.bytes = bytes, .incomplete = true, .begun = true};
}

/// Sends one piece of text.
void SendText(reactor::Connection& connection, std::string_view text);

}  // namespace test
