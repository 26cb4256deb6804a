// A connection's life, and what its handler is told of it.
#include "reactor/connection.h"

#include <cassert>
#include <cerrno>
#include <cstddef>
#include <new>
#include <utility>

#include "reactor/event_loop.h"
#include "reactor/loop_handler.h"

namespace reactor {
namespace {

/// The arrows of the picture in the header, and those of the slot.
[[maybe_unused]] bool IsTransition(Connection::State from, Connection::State to) noexcept {
  using State = Connection::State;
  switch (from) {
    case State::kFree:
      return to == State::kEstablishing || to == State::kOpen;
    case State::kEstablishing:
      return to == State::kOpen || to == State::kClosed;
    case State::kOpen:
      return to == State::kFlushing || to == State::kClosed;
    case State::kFlushing:
      return to == State::kFinSent || to == State::kClosed;
    case State::kFinSent:
      return to == State::kClosed;
    case State::kClosed:
      return to == State::kFree;
  }
  return false;
}

}  // namespace

void Connection::Open(EventLoop& loop, std::uint32_t slot, Arrival arrival) noexcept {
  loop_ = &loop;
  slot_ = slot;
  socket_ = std::move(arrival.socket);
  remote_ = arrival.remote;
  dial_ = arrival.dial & kMaxDialToken;
  listener_ = static_cast<std::uint8_t>(arrival.listener);
  counted_ = arrival.counted;
  preface_ = std::move(arrival.preface);
  const bool opens = preface_ == nullptr;
  Enter(opens ? State::kOpen : State::kEstablishing);
  const ConnectionOptions& options = loop.options().connection;
  // Of a Unix socket a receive call stops at descriptors, which nobody wants and the kernel closes.
  read_.Open(options.start_paused || !opens, remote_.is_unix() || !loop.short_reads_tell_the_end());
  write_.Open(loop.ring_memory());
  idle_timeout_ = options.idle_timeout;
  if ((options.start_paused || !opens) && options.handshake_timeout != 0) {
    admit_by_ = MonotonicNow() + options.handshake_timeout;
  }
  Touch();
  Raise(opens ? kOpenEvent : kStepEvent);
  ArmTimer();
}

// The generation first: whoever reads the counts from another thread looks at it afterwards.
void Connection::MarkFree() noexcept {
  generation_.fetch_add(1, std::memory_order_release);
  Enter(State::kFree);
  assert(!pace_.running() && !partial_link_.linked);
  read_.Reset();
  write_.Reset();
  channel_.reset();
  preface_.reset();
  pending_ = 0;
  scheduled_ = refused_ = leaving_ = hastened_ = idle_asked_ = false;
  error_ = 0;
  admit_by_ = close_deadline_ = retry_at_ = acknowledge_by_ = 0;
}

void Connection::Enter(State next) noexcept {
  assert(loop_->thread().IsCurrent());
  assert(IsTransition(state_, next));
  state_ = next;
}

void Connection::Enter(ReadSide::State next) noexcept {
  if (read_.Enter(next)) loop_->OnFinalReadDone();
}

bool Connection::IsConsistent() const noexcept {
  using Write = WriteSide::State;
  // Who waits for the loop is on its list; output that waits has somebody to move it.
  const bool attended = scheduled_ || (pending_ == 0 && !MayRead());
  // Behind a channel there is a word to say before FIN.
  const bool has_word = read_.is_secure() && write_.state() == Write::kFinWanted;
  const bool awaits_kernel = (!write_.empty() || has_word) && !write_.writable();
  const bool drops = read_.state() == ReadSide::State::kDropping;
  switch (state_) {
    case State::kFree:
      return !scheduled_ && pending_ == 0 && !socket_.valid() && !timer_.armed();
    case State::kClosed:
      return attended && !socket_.valid() && !timer_.armed() && write_.empty() &&
             read_.state() == ReadSide::State::kStopped && write_.state() == Write::kClosed;
    case State::kEstablishing:
      return attended && socket_.valid() && preface_ != nullptr && (pending_ & kOpenEvent) == 0 &&
             (write_.empty() || awaits_kernel) && write_.state() == Write::kOpen;
    case State::kFlushing:
      return attended && socket_.valid() && (drops || read_.ended()) && awaits_kernel &&
             write_.state() == Write::kFinWanted;
    case State::kFinSent:
      return attended && socket_.valid() && drops && write_.empty() &&
             write_.state() == Write::kFinSent;
    case State::kOpen:
      return attended && socket_.valid() && (!refused_ || drops || read_.ended()) &&
             (write_.empty() ? write_.state() != Write::kFinWanted || awaits_kernel
                             : awaits_kernel && write_.state() != Write::kFinSent);
  }
  return false;
}

// What the comment at the fields promises.
[[maybe_unused]] void Connection::CheckLayout() noexcept {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
  static_assert(offsetof(Connection, write_) + WriteSide::kHotSize <= 2 * kCacheLine);
  static_assert(sizeof(Connection) <= 7 * kCacheLine);
  static_assert(kMaxDialToken < 1U << 24U && EventLoop::kMaxListeners <= 1U << 8U);
#pragma GCC diagnostic pop
}

void Connection::OnReady(Ready ready) noexcept {
  if (state_ <= State::kEstablishing) [[unlikely]] {
    if (state_ == State::kEstablishing) OnReadyToEstablish(ready);
    return;
  }
  if (Has(ready, Ready::kRead)) {
    read_.OnEdge();
    // Bytes have come, though nobody reads them now.
    if (read_.paused()) Touch();
  }
  if (Has(ready, Ready::kUrgent)) read_.OnUrgentData();
  if (Has(ready, Ready::kHangup)) read_.OnHangup();
  if (Has(ready, Ready::kWrite)) {
    write_.OnWritable();
    if (!write_.empty()) FlushOutput();
    if (read_.is_secure()) [[unlikely]]
      OnChannelWritable();
  }
  if (MayRead() || HasUnseenEnd()) loop_->Schedule(*this);
  assert(IsConsistent());
}

Connection::Served Connection::Serve() {
  if ((pending_ & (kStepEvent | kOpenEvent)) != 0) {
    if ((pending_ & kStepEvent) != 0 && !Establish()) {
      return state_ == State::kClosed ? Served::kReleased : Served::kAll;
    }
    if (!Announce()) return Served::kMore;
  }
  if (MayRead()) {
    if (!read_.delivers()) {
      Discard();
    } else if (!Read()) {
      return Served::kMore;
    }
  }
  if (HasUnseenEnd()) LookForEnd();
  if (read_.in_final_read() && !MayRead()) Enter(ReadSide::State::kStopped);
  if (pending_ != 0) {
    if (!EmitPending()) return Served::kMore;
    if (state_ == State::kClosed) return Served::kReleased;
  }
  return MayRead() ? Served::kMore : Served::kAll;
}

// Without the handler's memory for a connection it ends; it is announced once there is some.
bool Connection::Announce() noexcept {
  try {
    if (!loop_->handler().OnOpen(*this)) return false;
  } catch (const std::bad_alloc&) {
    Abort(CloseReason::kError, ENOMEM);
    return false;
  }
  Withdraw(kOpenEvent);
  preface_.reset();
  return true;
}

void Connection::Raise(Pending event) noexcept {
  pending_ |= event;
  loop_->Schedule(*this);
}

// In this order, the last word last. What was kept comes before the end of the input.
bool Connection::EmitPending() {
  LoopHandler& handler = loop_->handler();
  const auto emit = [this](Pending event, auto&& deliver) {
    if ((pending_ & event) == 0) return true;
    // Withdrawn before the call: what the handler does there may raise the event anew.
    Withdraw(event);
    if (deliver()) return true;
    pending_ |= event;
    return false;
  };
  if (!emit(kFlushedEvent, [&] { return handler.OnFlushed(*this); })) return false;
  if (!emit(kDrainEvent, [&] { return handler.OnDrain(*this); })) return false;
  if (!emit(kIdleEvent, [&] { return handler.OnIdle(*this); })) return false;
  if (!read_.unparsed() && !emit(kEndEvent, [&] { return handler.OnEnd(*this); })) return false;
  return emit(kCloseEvent, [&] { return handler.OnClose(*this, reason_, error_); });
}

}  // namespace reactor
