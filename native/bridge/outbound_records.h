#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bridge/record_reader.h"
#include "reactor/event_loop.h"

namespace bridge {

/// Carries out on a loop what the records of JavaScript ask for. What a batch sends to a connection
/// leaves in one write, before whatever the batch does to that connection next. The loop's thread.
class OutboundRecords {
 public:
  /// Once, before the loop's first turn.
  void Attach(reactor::EventLoop& loop) noexcept { loop_ = &loop; }

  /// Executes one batch; its memory is not needed any more when this returns.
  void Execute(std::span<const std::byte> records);

  /// A connection opens in this slot.
  void Open(std::uint32_t slot);
  /// No connection has a slot of `slots` or above.
  void Shrink(std::size_t slots);

 private:
  static constexpr std::int32_t kNone = -1;

  /// What the batch at hand sends to one connection.
  struct Sends {
    std::int32_t first_part = kNone;  // a chain in parts_
    std::int32_t last_part = kNone;
    std::int32_t flags = 0;
  };
  struct Part {
    std::span<const std::byte> bytes;
    std::int32_t next = kNone;
  };

  void Multicast(const RecordView& record);
  void Apply(const RecordView& record);
  void ApplyTo(reactor::Connection& connection, const RecordView& record);
  void StartTimer(const RecordView& record);
  void Dial(const RecordView& record);
  void Queue(reactor::Connection& connection, std::span<const std::byte> payload,
             std::int32_t flags);
  void Flush(reactor::Connection& connection);
  void FlushAll();

  reactor::EventLoop* loop_ = nullptr;
  std::vector<Sends> sends_;  // by slot
  std::vector<Part> parts_;
  std::vector<reactor::Connection*> unflushed_;
  std::vector<std::span<const std::byte>> spans_;  // scratch of Flush()
};

}  // namespace bridge
