#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "load/connection_socket.h"
#include "load/latency_histogram.h"
#include "load/options.h"
#include "load/pattern_table.h"
#include "load/received.h"

namespace gev::load {

// One connection of the echo workload: what was sent, what must come back, and when each
// outstanding message left. At most `depth` messages are outstanding, framed or not. The pattern
// table outlives it.
class EchoConnection {
 public:
  // What all connections share: any slice that is sent or received at once.
  using Content = PatternTable;
  static PatternTable MakeContent(const Options& options, size_t longest_receive);

  // What OutstandingCount() counts.
  static constexpr std::string_view kUnit = "bytes";

  EchoConnection(ConnectionSocket socket, const PatternTable& pattern, const Options& options);

  // Queues `messages` more, all stamped `now`, and sends what is queued: one send() if the kernel
  // takes it.
  void Send(uint32_t messages, int64_t now);

  // Sends what an earlier Send() could not. Throws LoadError when the connection is lost.
  void Flush();

  // Reads everything that has arrived, compares every byte, and records the latency of each
  // completed message. Throws LoadError at the first byte that differs or was never sent, and when
  // the connection ends.
  Received Receive(std::span<char> scratch, bool hang_up, LatencyHistogram& latency);

  [[nodiscard]] bool HasUnsent() const { return sent_ < queued_; }
  [[nodiscard]] uint64_t OutstandingCount() const { return queued_ - received_; }

 private:
  void Verify(std::span<const char> bytes);
  uint32_t CompleteMessages(size_t bytes, int64_t now, LatencyHistogram& latency);

  ConnectionSocket socket_;
  const PatternTable* pattern_;
  uint32_t size_;  // of a message, what stands around its content included

  // Positions in the byte stream, and the same modulo the pattern's period.
  uint64_t queued_ = 0;
  uint64_t sent_ = 0;
  uint64_t received_ = 0;
  size_t send_cursor_;
  size_t receive_cursor_;

  size_t partial_ = 0;            // bytes of the message that is arriving
  std::vector<int64_t> sent_at_;  // ring: when each outstanding message was queued
  size_t oldest_ = 0;
  size_t newest_ = 0;
};

}  // namespace gev::load
