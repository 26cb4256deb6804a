#include "load/echo_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "load/clock.h"
#include "load/load_error.h"

namespace gev::load {

EchoConnection::EchoConnection(FileDescriptor socket, const PatternTable& pattern, uint32_t number,
                               uint32_t depth, uint32_t size)
    : socket_(std::move(socket)),
      pattern_(&pattern),
      number_(number),
      size_(size),
      send_cursor_(PatternTable::StartOf(number)),
      receive_cursor_(send_cursor_),
      sent_at_(depth) {}

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
    const ssize_t count =
        ::send(socket_.Get(), pattern_->At(send_cursor_), queued_ - sent_, MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return;
      Fail("cannot send: " + DescribeErrno(errno));
    }
    const auto bytes = static_cast<size_t>(count);
    sent_ += bytes;
    send_cursor_ = PatternTable::Advance(send_cursor_, bytes);
  }
}

EchoConnection::Received EchoConnection::Receive(std::span<char> scratch, bool hang_up,
                                                 LatencyHistogram& latency) {
  Received total;
  for (;;) {
    const ssize_t count = ::recv(socket_.Get(), scratch.data(), scratch.size(), 0);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return total;
      Fail("cannot receive: " + DescribeErrno(errno));
    }
    if (count == 0) Fail("closed by the server");
    const auto bytes = static_cast<size_t>(count);
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
    Fail("wrong byte at position " + std::to_string(received_ + offset) + " of the stream");
  }
  received_ += bytes.size();
  receive_cursor_ = PatternTable::Advance(receive_cursor_, bytes.size());
  if (received_ > sent_) Fail(std::to_string(received_ - sent_) + " bytes more than were sent");
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

void EchoConnection::Fail(const std::string& what) const {
  throw LoadError("connection " + std::to_string(number_) + ": " + what);
}

}  // namespace gev::load
