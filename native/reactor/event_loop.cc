#include "reactor/event_loop.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <limits>
#include <new>
#include <utility>

namespace reactor {
namespace {

// Bytes received in one turn before the receiver has its say: what it reads is still in the cache
// then, and a few busy connections hold nobody up.
constexpr std::size_t kReceivedATurn = 64 * 1024;
// What one connection may take of that while others are ready. More than a round number, so that a
// message of 16 KiB shows by a short read that it was the last.
constexpr std::size_t kShareOfMany = 24 * 1024;
// Time for handshakes in one turn: three or four of a server with a P-256 key, and one of RSA.
constexpr Nanoseconds kHandshakesATurn = FromMilliseconds(1);
constexpr std::size_t kScratchSize = 64 * 1024;
constexpr Nanoseconds kFailureInterval = FromMilliseconds(1000);

constexpr std::uint64_t TickAt(Nanoseconds time) noexcept {
  return time / kNanosecondsPerMillisecond;
}
/// The first tick at which `deadline` has certainly passed.
constexpr std::uint64_t TickAfter(Nanoseconds deadline) noexcept {
  return (deadline + kNanosecondsPerMillisecond - 1) / kNanosecondsPerMillisecond;
}

/// To room for so many. Without memory for that it stays as it is.
bool Shrink(std::vector<Connection*>& list, std::size_t room) noexcept {
  try {
    std::vector<Connection*> smaller;
    smaller.reserve(room);
    smaller.assign(list.begin(), list.end());
    list.swap(smaller);
  } catch (const std::bad_alloc&) {
    return false;
  }
  return true;
}

}  // namespace

EventLoop::EventLoop(LoopOptions options, LoopHandler& handler)
    : options_(std::move(options)),
      handler_(handler),
      now_(MonotonicNow()),
      wheel_(TickAt(now_)),
      timers_(*this),
      connector_(*this),
      short_reads_tell_the_end_(Poller::kTellsOfUrgentData && SocketOps::ShortReadsTellTheEnd()),
      scratch_(std::make_unique_for_overwrite<std::byte[]>(kScratchSize)),
      partial_frames_(options_.max_partial_bytes),
      waiting_output_(options_.output_budget,
                      [this] { Post([this] { waiting_output_.Shed(); }); }) {}

EventLoop::~EventLoop() {
  // Timers live in the connections: leave the wheel before either goes.
  table_.ForEach([this](Connection& connection) { wheel_.Cancel(connection.timer_); });
}

// --- one turn ------------------------------------------------------------------------------------

bool EventLoop::Turn(int max_wait_ms) {
  assert(thread_.Claim());
  bool woken = false;
  poller_.Wait(WaitLimit(max_wait_ms), [this, &woken](PollToken token, Ready ready) {
    // Not the time before the sleep: what is written now is activity of now.
    if (!std::exchange(woken, true)) now_ = MonotonicNow();
    Dispatch(token, ready);
  });
  sleeping_.store(false, std::memory_order_relaxed);
  if (!woken) now_ = MonotonicNow();
  RunTasks();
  handler_.RunCommands();
  handler_.BeginEvents();
  for (const auto& acceptor : acceptors_) acceptor->Serve();
  connector_.Serve();
  ServeReady();
  // After reading: whoever sent something in time is not idle, however late this turn comes.
  wheel_.Advance(TickAt(now_), [](TimerNode& node) { node.target->OnDeadline(); });
  timers_.Emit(handler_);
  connector_.Emit(handler_);
  EmitQuiesced();
  EmitFailures();
  EmitRefusals();
  handler_.EndEvents();
  return HasWork();
}

void EventLoop::Run() {
  while (!stopped_.load(std::memory_order_acquire)) Turn(-1);
  thread_.Release();
}

void EventLoop::RunCommands() {
  assert(thread_.Claim());
  now_ = MonotonicNow();
  handler_.RunCommands();
}

bool EventLoop::HasWork() noexcept {
  for (const auto& acceptor : acceptors_) {
    if (acceptor->ready()) return true;
  }
  const bool has_events =
      !ready_.empty() || timers_.has_due() || connector_.has_failed() || OwesQuiesced();
  return has_events && handler_.AwaitRoom();
}

// How long the poller may wait, in whole milliseconds, rounded up: a timer is never early.
int EventLoop::WaitLimit(int max_wait_ms) noexcept {
  if (max_wait_ms == 0 || HasWork()) return 0;
  if (const auto deadline = NextDeadline()) {
    const Nanoseconds now = MonotonicNow();
    const std::uint64_t wait = *deadline <= now ? 0 : TickAfter(*deadline - now);
    const auto limit =
        static_cast<std::uint64_t>(max_wait_ms < 0 ? std::numeric_limits<int>::max() : max_wait_ms);
    max_wait_ms = static_cast<int>(std::min(wait, limit));
  }
  if (max_wait_ms == 0) return 0;
  // Announce the sleep, then look once more: whoever adds work now will see the flag and wake us.
  sleeping_.store(true, std::memory_order_seq_cst);
  if (handler_.HasCommands() || has_tasks_.load(std::memory_order_seq_cst) ||
      stopped_.load(std::memory_order_seq_cst) || HasWork()) {
    sleeping_.store(false, std::memory_order_relaxed);
    return 0;
  }
  return max_wait_ms;
}

void EventLoop::Dispatch(PollToken token, Ready ready) noexcept {
  if (token >= ListenerToken(kMaxListeners - 1)) {
    const auto index = static_cast<std::size_t>(ListenerToken(0) - token);
    if (index < acceptors_.size()) acceptors_[index]->OnReady();
    return;
  }
  if (Connector::Owns(token)) {
    connector_.OnReady(token, ready);
    return;
  }
  Connection* connection =
      table_.Find(static_cast<std::uint32_t>(token), static_cast<std::uint32_t>(token >> 32U));
  if (connection != nullptr) connection->OnReady(ready);
}

void EventLoop::ServeReady() {
  serving_.swap(ready_);
  received_ = 0;
  shaking_hands_ = 0;
  std::size_t served = 0;
  bool spans_less = false;
  for (; served < serving_.size() && received_ < kReceivedATurn; ++served) {
    Connection* const connection = serving_[served];
    const auto left = connection->Serve();  // `scheduled_` stays set: no second entry
    connection->scheduled_ = false;
    if (left == Connection::Served::kReleased) {
      spans_less |= table_.Free(*connection);
      continue;
    }
    if (left == Connection::Served::kMore || connection->pending_ != 0) Schedule(*connection);
    assert(connection->IsConsistent());
  }
  // Whoever was left out comes before those who have had their share.
  ready_.insert(ready_.begin(), serving_.begin() + static_cast<std::ptrdiff_t>(served),
                serving_.end());
  serving_.clear();
  if (spans_less) OnFewerSlots();
}

void EventLoop::OnFewerSlots() {
  const std::size_t slots = table_.span();
  for (std::vector<Connection*>* const list : {&ready_, &serving_}) {
    if (list->capacity() > 2 * slots) Shrink(*list, slots);
  }
  handler_.OnFewerSlots(slots);
}

bool EventLoop::MakeRoomInLists() noexcept {
  const std::size_t needed = table_.size() + 1;
  try {
    for (std::vector<Connection*>* const list : {&ready_, &serving_}) {
      if (list->capacity() < needed) list->reserve(std::max(needed, 2 * list->capacity()));
    }
  } catch (const std::bad_alloc&) {
    return false;
  }
  return true;
}

std::size_t EventLoop::ReadShare() const noexcept {
  return std::min(serving_.size() > 1 ? kShareOfMany : kReceivedATurn, kReceivedATurn - received_);
}

bool EventLoop::MayShakeHands() const noexcept { return shaking_hands_ < kHandshakesATurn; }

void EventLoop::Schedule(Connection& connection) {
  assert(thread_.IsCurrent());
  if (connection.scheduled_) return;
  connection.scheduled_ = true;
  ready_.push_back(&connection);
}

void EventLoop::RunTasks() {
  if (!has_tasks_.load(std::memory_order_acquire)) return;
  std::vector<Task> tasks;
  {
    const std::scoped_lock lock(tasks_mutex_);
    tasks.swap(tasks_);
    has_tasks_.store(false, std::memory_order_relaxed);
  }
  for (const Task& task : tasks) task();
}

// --- from other threads --------------------------------------------------------------------------

void EventLoop::Stop() noexcept {
  stopped_.store(true, std::memory_order_seq_cst);
  Wake();
}

void EventLoop::Post(Task task) {
  {
    const std::scoped_lock lock(tasks_mutex_);
    tasks_.push_back(std::move(task));
    has_tasks_.store(true, std::memory_order_seq_cst);
  }
  Wake();
}

void EventLoop::Wake() noexcept {
  if (sleeping_.exchange(false, std::memory_order_seq_cst)) poller_.Wakeup();
}

// --- connections ---------------------------------------------------------------------------------

void EventLoop::Listen(FileDescriptor listener, Acceptor::Callback on_accept, SocketFile file) {
  assert(acceptors_.size() < kMaxListeners);
  acceptors_.push_back(std::make_unique<Acceptor>(*this, ListenerToken(acceptors_.size()),
                                                  std::move(listener), std::move(file),
                                                  std::move(on_accept)));
}

Connection* EventLoop::Adopt(Arrival arrival) {
  assert(thread_.IsCurrent());
  const bool dialled = arrival.dial != 0;
  const int fd = arrival.socket.get();
  if (dialled && options_.on_dialled) options_.on_dialled();
  // A dialled socket has its options, and the poller knows it by the connector's token.
  if (!dialled) ApplyOptions(fd, arrival.remote.family(), options_.socket);
  std::uint32_t slot = 0;
  Connection* connection = MakeRoomInLists() ? table_.Allocate(slot) : nullptr;
  if (connection == nullptr) {
    OnConnectionClosed(arrival.counted ? &arrival.remote : nullptr);
    return nullptr;
  }
  connection->Open(*this, slot, std::move(arrival));
  const PollToken token = TokenOf(*connection);
  const int result = dialled ? poller_.Rearm(fd, token) : poller_.Add(fd, token);
  if (result < 0) {
    ReportFailure(LoopFailure::kPoll, -result);
    connection->Abort(CloseReason::kError, -result);
  }
  // Handed over by a loop that was still accepting.
  if (quiescing_) connection->EstablishNow();
  if (quiescing_ && !reads_on_) BeginFinalRead(*connection);
  return connection;
}

void EventLoop::Quiesce(bool reads_on) {
  assert(thread_.IsCurrent());
  if (quiescing_) return;
  for (const auto& acceptor : acceptors_) acceptor->AcceptRestAndClose();
  acceptors_.clear();
  quiescing_ = true;
  reads_on_ = reads_on;
  table_.ForEach([](Connection& connection) { connection.EstablishNow(); });
  if (!reads_on) table_.ForEach([this](Connection& connection) { BeginFinalRead(connection); });
}

void EventLoop::BeginFinalRead(Connection& connection) {
  if (connection.state() != Connection::State::kOpen) return;
  ++final_reads_;
  connection.BeginFinalRead();
}

// Whose open or end event waits for room is on the ready list for it.
bool EventLoop::AllAnnounced() const noexcept {
  return std::ranges::none_of(ready_, [](const Connection* connection) {
    return (connection->pending_ & (Connection::kOpenEvent | Connection::kEndEvent)) != 0;
  });
}

void EventLoop::EmitQuiesced() {
  if (OwesQuiesced()) quiesced_ = handler_.OnQuiesced();
}

void EventLoop::CloseAll(CloseReason reason) {
  connector_.CancelAll();
  table_.ForEach([reason](Connection& connection) { connection.Close(reason); });
}

void EventLoop::AbortAll(CloseReason reason) {
  connector_.CancelAll();
  table_.ForEach([reason](Connection& connection) { connection.Abort(reason); });
}

void EventLoop::ShedPartialFrames() noexcept {
  while (Connection* const oldest = partial_frames_.Excess()) oldest->RefuseInput(ENOBUFS);
}

void EventLoop::OnConnectionClosed(const Endpoint* counted) noexcept {
  if (options_.on_closed) options_.on_closed(counted);
}

// --- time ----------------------------------------------------------------------------------------

std::optional<Nanoseconds> EventLoop::NextDeadline() const noexcept {
  const auto tick = wheel_.NextEvent();
  if (!tick) return std::nullopt;
  return *tick * kNanosecondsPerMillisecond;
}

void EventLoop::ArmTimer(TimerNode& node, Nanoseconds deadline) noexcept {
  assert(thread_.IsCurrent());
  const std::uint64_t tick = TickAfter(deadline);
  if (node.armed() && node.deadline <= tick) return;
  wheel_.Arm(node, tick);
}

void EventLoop::ReportFailure(LoopFailure failure, int error) {
  Nanoseconds& last = last_failure_[static_cast<std::size_t>(failure)];
  if (last != 0 && now_ - last < kFailureInterval) return;
  last = now_;
  owed_failures_[static_cast<std::size_t>(failure)] = error;
}

void EventLoop::EmitFailures() {
  for (std::size_t kind = 0; kind < owed_failures_.size(); ++kind) {
    const int error = std::exchange(owed_failures_[kind], 0);
    if (error != 0) handler_.OnFailure(static_cast<LoopFailure>(kind), error);
  }
}

void EventLoop::OnRefused(Refusal cause, const Endpoint& remote, const PrefaceStep* step) noexcept {
  Count(cause);
  const auto kind = static_cast<std::size_t>(cause);
  if (last_report_[kind] != 0 && now_ - last_report_[kind] < kFailureInterval) return;
  try {
    owed_reports_.push_back({.cause = cause,
                             .count = refused(cause) - reported_[kind],
                             .remote = remote,
                             .detail = step == nullptr ? std::string() : step->detail()});
  } catch (const std::bad_alloc&) {
    return;
  }
  last_report_[kind] = now_;
  reported_[kind] = refused(cause);
}

void EventLoop::EmitRefusals() {
  if (owed_reports_.empty()) return;
  for (const RefusalReport& report : owed_reports_) handler_.OnRefused(report);
  owed_reports_.clear();
}

std::span<std::byte> EventLoop::scratch() noexcept { return {scratch_.get(), kScratchSize}; }

}  // namespace reactor
