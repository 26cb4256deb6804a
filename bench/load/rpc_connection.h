#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "load/connection_socket.h"
#include "load/latency_histogram.h"
#include "load/options.h"
#include "load/received.h"
#include "load/rpc_reply.h"
#include "load/rpc_request.h"

namespace gev::load {

// One connection of the RPC workload: `depth` slots, each a request that is outstanding or may be
// sent again. Replies may come in any order; each must carry the id of an outstanding request of
// this connection and the right sum, and ends it. The summands outlive it.
class RpcConnection {
 public:
  using Content = SummandTable;
  static SummandTable MakeContent(const Options& /*options*/, size_t /*longest_receive*/) {
    return {};
  }

  // What OutstandingCount() counts.
  static constexpr std::string_view kUnit = "replies";

  RpcConnection(ConnectionSocket socket, const SummandTable& summands, const Options& options);

  // Queues `messages` more, all stamped `now`, and sends what is queued: one send() if the kernel
  // takes it.
  void Send(uint32_t messages, int64_t now);

  // Sends what an earlier Send() could not. Throws LoadError when the connection is lost.
  void Flush();

  // Reads everything that has arrived, verifies every reply and records its latency. Throws
  // LoadError at the first that answers no outstanding request, or answers it wrongly, at a byte
  // that belongs to none, and when the connection ends.
  Received Receive(std::span<char> scratch, bool hang_up, LatencyHistogram& latency);

  [[nodiscard]] bool HasUnsent() const { return sent_ < unsent_.size(); }
  [[nodiscard]] uint64_t OutstandingCount() const { return slots_.size() - free_.size(); }

 private:
  struct Slot {
    RpcRequest request;
    int32_t sum = 0;
    bool outstanding = false;
    int64_t sent_at = 0;
  };

  void Queue(Slot& slot, int64_t now);
  // Takes the complete replies from `bytes` and keeps the rest. Returns how many there were.
  uint32_t TakeReplies(std::string_view bytes, int64_t now, LatencyHistogram& latency);
  void Settle(const Reply& reply, int64_t now, LatencyHistogram& latency);

  ConnectionSocket socket_;
  const SummandTable* summands_;
  size_t next_summands_;

  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;  // slots that are not outstanding

  std::vector<char> unsent_;  // requests on their way to the kernel: [sent_, size)
  size_t sent_ = 0;

  std::array<char, kMaxReplyBytes> partial_;  // the beginning of the reply that is arriving
  size_t partial_bytes_ = 0;
};

}  // namespace gev::load
