#include "test/support/recording_handler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <new>
#include <span>

namespace test {

using reactor::Connection;
using reactor::ReadVerdict;

namespace {

std::uint64_t IdentityOf(const Connection& connection) {
  return std::uint64_t{connection.generation()} << 32U | connection.slot();
}

}  // namespace

void SendText(Connection& connection, std::string_view text) {
  const std::array parts{std::as_bytes(std::span(text.data(), text.size()))};
  connection.Send(parts);
}

// --- from any thread -----------------------------------------------------------------------------

void RecordingHandler::Do(reactor::EventLoop& loop, std::function<void()> command) {
  {
    const std::scoped_lock lock(mutex_);
    commands_.push_back(std::move(command));
    has_commands_.store(true);
  }
  loop.Wake();
}

std::vector<ConnectionRecord> RecordingHandler::records() const {
  const std::scoped_lock lock(mutex_);
  return records_;
}

std::vector<TimerRecord> RecordingHandler::timers() const {
  const std::scoped_lock lock(mutex_);
  return timers_;
}

std::vector<DialFailure> RecordingHandler::failed_dials() const {
  const std::scoped_lock lock(mutex_);
  return failed_dials_;
}

std::vector<reactor::RefusalReport> RecordingHandler::refusals() const {
  const std::scoped_lock lock(mutex_);
  return refusals_;
}

std::vector<std::pair<reactor::LoopFailure, int>> RecordingHandler::failures() const {
  const std::scoped_lock lock(mutex_);
  return failures_;
}

// --- turns ---------------------------------------------------------------------------------------

void RecordingHandler::RunCommands() {
  std::vector<std::function<void()>> commands;
  {
    const std::scoped_lock lock(mutex_);
    commands.swap(commands_);
    has_commands_.store(false);
  }
  for (const auto& command : commands) command();
}

void RecordingHandler::BeginEvents() {
  EXPECT_FALSE(in_events_);
  in_events_ = true;
}

void RecordingHandler::EndEvents() {
  EXPECT_TRUE(in_events_);
  in_events_ = false;
}

bool RecordingHandler::TakeRoom() {
  EXPECT_TRUE(in_events_) << "an event outside BeginEvents() and EndEvents()";
  const int room = room_.load();
  if (room == 0) return false;
  if (room > 0) room_.store(room - 1);
  return true;
}

// --- events of a connection ----------------------------------------------------------------------

template <typename Change>
void RecordingHandler::Update(const Connection& connection, Change change) {
  const auto it = open_.find(IdentityOf(connection));
  if (it == open_.end()) {
    ADD_FAILURE() << "an event of a connection that is not open";
    return;
  }
  const std::scoped_lock lock(mutex_);
  change(records_[it->second]);
}

bool RecordingHandler::OnOpen(Connection& connection) {
  if (!TakeRoom()) return false;
  if (out_of_memory) throw std::bad_alloc();
  {
    const std::scoped_lock lock(mutex_);
    ConnectionRecord record;
    record.slot = connection.slot();
    record.generation = connection.generation();
    record.dial = connection.dial();
    record.remote_port = connection.remote().port();
    record.opened_at = reactor::MonotonicNow();
    const bool fresh = open_.emplace(IdentityOf(connection), records_.size()).second;
    EXPECT_TRUE(fresh) << "opened twice";
    records_.push_back(std::move(record));
  }
  ++opened_;
  if (on_open) on_open(connection);
  return true;
}

std::span<std::byte> RecordingHandler::PrepareRead(Connection& connection) {
  EXPECT_TRUE(open_.contains(IdentityOf(connection))) << "read before open or after close";
  if (room_.load() == 0) return {};
  buffer_.resize(read_size);
  return buffer_;
}

ReadVerdict RecordingHandler::CommitRead(Connection& connection, std::size_t count) {
  std::string& kept = kept_[IdentityOf(connection)];
  EXPECT_TRUE(count == 0 || kept.empty()) << "new bytes before those kept were asked for";
  EXPECT_LE(count, buffer_.size());
  kept.append(reinterpret_cast<const char*>(buffer_.data()), count);
  while (!kept.empty()) {
    const std::size_t size = piece_size == 0 ? kept.size() : std::min(piece_size, kept.size());
    if (!TakeRoom()) return ReadVerdict::kNoRoom;
    std::string piece = kept.substr(0, size);
    kept.erase(0, size);
    if (!Deliver(connection, std::move(piece))) return ReadVerdict::kInvalidFrame;
  }
  return ReadVerdict::kContinue;
}

bool RecordingHandler::Deliver(Connection& connection, std::string piece) {
  if (protocol_error_at != '\0' && piece.find(protocol_error_at) != std::string::npos) return false;
  received_ += piece.size();
  Update(connection, [&](ConnectionRecord& record) {
    EXPECT_EQ(record.ends, 0) << "bytes after the end";
    ++record.reads;
    record.received_bytes += piece.size();
    if (keep_bytes) record.received += piece;
  });
  if (echo) SendText(connection, piece);
  if (on_read) on_read(connection);
  return true;
}

void RecordingHandler::DropInput(Connection& connection) noexcept {
  Update(connection, [](ConnectionRecord& record) { ++record.drops; });
}

bool RecordingHandler::OnEnd(Connection& connection) {
  if (!TakeRoom()) return false;
  EXPECT_TRUE(kept_[IdentityOf(connection)].empty()) << "the end overtook bytes";
  Update(connection, [](ConnectionRecord& record) { EXPECT_EQ(++record.ends, 1) << "two ends"; });
  if (on_end) on_end(connection);
  if (close_on_end) connection.Close(reactor::CloseReason::kPeer);
  return true;
}

bool RecordingHandler::OnDrain(Connection& connection) {
  if (!TakeRoom()) return false;
  Update(connection, [](ConnectionRecord& record) { ++record.drains; });
  if (on_drain) on_drain(connection);
  return true;
}

bool RecordingHandler::OnIdle(Connection& connection) {
  if (!TakeRoom()) return false;
  Update(connection, [](ConnectionRecord& record) { ++record.idles; });
  if (!owes) connection.ExpireIdle();
  return true;
}

bool RecordingHandler::OnFlushed(Connection& connection) {
  if (!TakeRoom()) return false;
  Update(connection, [&](ConnectionRecord& record) {
    EXPECT_GE(connection.bytes_written(), record.flushed);
    ++record.flushes;
    record.flushed = connection.bytes_written();
  });
  if (on_flushed) on_flushed(connection);
  return true;
}

bool RecordingHandler::OnClose(Connection& connection, reactor::CloseReason reason, int error) {
  if (!TakeRoom()) return false;
  Update(connection, [&](ConnectionRecord& record) {
    ++record.closes;
    record.reason = reason;
    record.error = error;
    record.closed_at = reactor::MonotonicNow();
  });
  if (on_close) on_close(connection);
  open_.erase(IdentityOf(connection));  // whatever comes after it fails Update()
  kept_.erase(IdentityOf(connection));
  ++closed_;
  return true;
}

// --- events of the loop --------------------------------------------------------------------------

bool RecordingHandler::OnDialFailed(reactor::DialToken token, int error) {
  if (!TakeRoom()) return false;
  const std::scoped_lock lock(mutex_);
  failed_dials_.push_back({token, error});
  return true;
}

bool RecordingHandler::OnTimer(reactor::TimerId id, std::uint32_t skipped) {
  if (!TakeRoom()) return false;
  {
    const std::scoped_lock lock(mutex_);
    timers_.push_back({id, skipped, reactor::MonotonicNow()});
  }
  if (on_timer) on_timer(id);
  return true;
}

bool RecordingHandler::OnQuiesced() {
  if (!TakeRoom()) return false;
  ++quiesced_;
  return true;
}

void RecordingHandler::OnFailure(reactor::LoopFailure failure, int error) {
  const std::scoped_lock lock(mutex_);
  failures_.emplace_back(failure, error);
}

void RecordingHandler::OnRefused(const reactor::RefusalReport& report) {
  const std::scoped_lock lock(mutex_);
  refusals_.push_back(report);
}

}  // namespace test
