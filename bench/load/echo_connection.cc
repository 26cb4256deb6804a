#include "load/echo_connection.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "load/clock.h"

namespace gev::load {

PatternTable EchoConnection::MakeContent(const Options& options, size_t longest_receive) {
  return {options.framing, options.size, std::max(longest_receive, options.BytesOutstanding())};
}

EchoConnection::EchoConnection(ConnectionSocket socket, const PatternTable& pattern,
                               const Options& options)
    : socket_(std::move(socket)),
      pattern_(&pattern),
      size_(options.MessageBytes()),
      send_cursor_(pattern.StartOf(socket_.Number())),
      receive_cursor_(send_cursor_),
      sent_at_(options.depth) {}

void EchoConnection::Send(uint32_t messages, int64_t now) {
  for (uint32_t index = 0; index < messages; ++index) {
    sent_at_[newest_] = now;
    if (++newest_ == sent_at_.size()) newest_ = 0;
  }
  queued_ += uint64_t{messages} * size_;
  Flush();
}

void EchoConnection::Flush() {
  while (HasUnsent()) {
    const size_t bytes = socket_.Send(pattern_->At(send_cursor_), queued_ - sent_);
    if (bytes == 0) return;
    sent_ += bytes;
    send_cursor_ = pattern_->Advance(send_cursor_, bytes);
  }
}

Received EchoConnection::Receive(std::span<char> scratch, bool hang_up, LatencyHistogram& latency) {
  Received total;
  for (;;) {
    const size_t bytes = socket_.Receive(scratch);
    if (bytes == 0) return total;
    total.now = NowNanos();
    Verify(scratch.first(bytes));
    total.bytes += bytes;
    total.messages += CompleteMessages(bytes, total.now, latency);
    // Edge-triggered: a short read has emptied the socket, unless the end of the stream is behind
    // it.
    if (bytes < scratch.size() && !hang_up) return total;
  }
}

void EchoConnection::Verify(std::span<const char> bytes) {
  const char* expected = pattern_->At(receive_cursor_);
  if (std::memcmp(bytes.data(), expected, bytes.size()) != 0) {
    const auto differs = std::mismatch(bytes.begin(), bytes.end(), expected).first;
    const auto offset = static_cast<uint64_t>(differs - bytes.begin());
    socket_.Fail("wrong byte at position " + std::to_string(received_ + offset) + " of the stream");
  }
  received_ += bytes.size();
  receive_cursor_ = pattern_->Advance(receive_cursor_, bytes.size());
  if (received_ > sent_) {
    socket_.Fail(std::to_string(received_ - sent_) + " bytes more than were sent");
  }
}

uint32_t EchoConnection::CompleteMessages(size_t bytes, int64_t now, LatencyHistogram& latency) {
  uint32_t messages = 0;
  for (partial_ += bytes; partial_ >= size_; partial_ -= size_) {
    latency.Record(now - sent_at_[oldest_]);
    if (++oldest_ == sent_at_.size()) oldest_ = 0;
    ++messages;
  }
  return messages;
}

}  // namespace gev::load
