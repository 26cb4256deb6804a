#include "load/rpc_connection.h"

#include <cstring>
#include <string>
#include <utility>

#include "load/clock.h"

namespace gev::load {
namespace {

constexpr size_t kQuotedBytes = 200;

std::string Quote(std::string_view text) {
  return "'" + std::string(text.substr(0, kQuotedBytes)) + "'";
}

}  // namespace

RpcConnection::RpcConnection(ConnectionSocket socket, const SummandTable& summands,
                             const Options& options)
    : socket_(std::move(socket)),
      summands_(&summands),
      next_summands_(SummandTable::StartOf(socket_.Number())) {
  slots_.reserve(options.depth);
  free_.reserve(options.depth);
  const std::string_view pattern =
      options.string_pattern ? RpcRequest::kStringPattern : RpcRequest::kObjectPattern;
  unsent_.reserve(options.depth * RpcRequest::kBytes);
  for (uint32_t slot = 0; slot < options.depth; ++slot) {
    slots_.push_back({.request = RpcRequest(socket_.Number(), slot, pattern)});
    free_.push_back(slot);
  }
}

void RpcConnection::Send(uint32_t messages, int64_t now) {
  // Nothing outstanding is ever queued twice, so what is reserved suffices.
  unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<std::ptrdiff_t>(sent_));
  sent_ = 0;
  for (uint32_t index = 0; index < messages; ++index) {
    Queue(slots_[free_.back()], now);
    free_.pop_back();
  }
  Flush();
}

void RpcConnection::Queue(Slot& slot, int64_t now) {
  const Summands& summands = summands_->At(next_summands_);
  if (++next_summands_ == SummandTable::kPeriod) next_summands_ = 0;
  slot.request.Renew(summands);
  slot.sum = summands.sum;
  slot.outstanding = true;
  slot.sent_at = now;
  const std::string_view text = slot.request.Text();
  unsent_.insert(unsent_.end(), text.begin(), text.end());
}

void RpcConnection::Flush() {
  while (HasUnsent()) {
    const size_t bytes = socket_.Send(unsent_.data() + sent_, unsent_.size() - sent_);
    if (bytes == 0) return;
    sent_ += bytes;
  }
}

Received RpcConnection::Receive(std::span<char> scratch, bool hang_up, LatencyHistogram& latency) {
  Received total;
  for (;;) {
    std::memcpy(scratch.data(), partial_.data(), partial_bytes_);
    const std::span<char> room = scratch.subspan(partial_bytes_);
    const size_t bytes = socket_.Receive(room);
    if (bytes == 0) return total;
    total.now = NowNanos();
    total.bytes += bytes;
    const std::string_view arrived(scratch.data(), partial_bytes_ + bytes);
    total.messages += TakeReplies(arrived, total.now, latency);
    // Edge-triggered: a short read has emptied the socket, unless the end of the stream is behind
    // it.
    if (bytes < room.size() && !hang_up) return total;
  }
}

uint32_t RpcConnection::TakeReplies(std::string_view bytes, int64_t now,
                                    LatencyHistogram& latency) {
  uint32_t replies = 0;
  Reply reply;
  ReplyState state = ReplyState::kIncomplete;
  while (!bytes.empty() && (state = ReadReply(bytes, reply)) == ReplyState::kComplete) {
    Settle(reply, now, latency);
    ++replies;
    bytes.remove_prefix(reply.bytes);
  }
  if (state == ReplyState::kMalformed) socket_.Fail("not a reply: " + Quote(bytes));
  if (!bytes.empty() && OutstandingCount() == 0) {
    socket_.Fail("bytes that answer no request: " + Quote(bytes));
  }
  std::memcpy(partial_.data(), bytes.data(), bytes.size());  // incomplete, so within the limit
  partial_bytes_ = bytes.size();
  return replies;
}

void RpcConnection::Settle(const Reply& reply, int64_t now, LatencyHistogram& latency) {
  const uint32_t index = RpcRequest::SlotOf(reply.id);
  const bool known =
      index < slots_.size() && slots_[index].outstanding && slots_[index].request.Id() == reply.id;
  if (!known) socket_.Fail("no outstanding request has the id " + Quote(reply.id));
  Slot& slot = slots_[index];
  if (reply.response != slot.sum) {
    socket_.Fail("wrong response " + std::to_string(reply.response) + ", not " +
                 std::to_string(slot.sum) + ", to " + Quote(slot.request.Text()));
  }
  latency.Record(now - slot.sent_at);
  slot.outstanding = false;
  free_.push_back(index);
}

}  // namespace gev::load
