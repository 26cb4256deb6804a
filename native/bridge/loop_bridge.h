#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bridge/doorbell.h"
#include "bridge/frame_buffer.h"
#include "bridge/inbound_stream.h"
#include "bridge/large_frames.h"
#include "bridge/mailbox.h"
#include "bridge/record_reader.h"
#include "protocol/framer.h"
#include "protocol/nest_packet.h"
#include "reactor/event_loop.h"
#include "reactor/loop_handler.h"

namespace bridge {

/// Joins one EventLoop to JavaScript: frames what is received into inbound slabs and carries out
/// the records of outbound slabs. Everything a turn writes to a connection leaves in one send.
/// LoopHandler's functions run on the loop's thread; inbound() and mailbox() say who may call what.
class LoopBridge final : public reactor::LoopHandler {
 public:
  /// `doorbell` (may be null for a host-driven loop) and `framer` must outlive the bridge.
  LoopBridge(const protocol::Framer& framer, Doorbell* doorbell, std::vector<std::byte*> inbound,
             std::vector<std::byte*> outbound);

  /// Once, before the loop's first turn.
  void Attach(reactor::EventLoop& loop) noexcept {
    loop_ = &loop;
    mailbox_.CountIn(loop.options().output_budget);
  }

  /// Texts of patterns that are handled. Before the loop's first turn.
  void KnowPatterns(std::span<const std::string> patterns) {
    for (const std::string& pattern : patterns) patterns_.Know(pattern);
  }

  [[nodiscard]] InboundStream& inbound() noexcept { return inbound_; }
  [[nodiscard]] Mailbox& mailbox() noexcept { return mailbox_; }

  /// The frame a kLarge descriptor names; once. JavaScript's thread.
  LargeFrame TakeLarge(std::uint32_t ticket) { return large_.Take(ticket); }

  [[nodiscard]] bool HasCommands() const noexcept override { return !mailbox_.Empty(); }
  void RunCommands() override;
  [[nodiscard]] bool AwaitRoom() noexcept override;
  void BeginEvents() override { inbound_.Lock(); }
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
  void OnFewerSlots(std::size_t slots) noexcept override;
  bool OnDialFailed(reactor::DialToken token, int error) override;
  bool OnTimer(reactor::TimerId id, std::uint32_t skipped) override;
  bool OnQuiesced() override;
  void OnFailure(reactor::LoopFailure failure, int error) override;

 private:
  static constexpr std::int32_t kNone = -1;

  /// What the bridge keeps for the connection in a slot.
  struct Slot {
    std::int32_t first_part = kNone;  // chain of this batch's sends
    std::int32_t last_part = kNone;
    std::int32_t flags = 0;
    protocol::FrameState frame;
    FrameBuffer partial;         // begins with the frame that is not complete
    std::uint32_t too_long = 0;  // bytes, at least, of a frame that was refused for its length
  };
  struct Part {
    std::span<const std::byte> bytes;
    std::int32_t next = kNone;
  };

  Slot& SlotOf(const reactor::Connection& connection) { return slots_[connection.slot()]; }
  bool Emit(EventKind kind, const reactor::Connection& connection, std::uint32_t a = 0,
            std::uint32_t b = 0, std::uint32_t c = 0);

  void Execute(std::span<const std::byte> records);
  void Multicast(const RecordView& record);
  void Apply(const RecordView& record);
  void StartTimer(const RecordView& record);
  void Dial(reactor::DialToken token, std::span<const std::byte> payload);
  void Queue(reactor::Connection& connection, std::span<const std::byte> payload,
             std::int32_t flags);
  void Flush(reactor::Connection& connection);
  void FlushAll();

  static reactor::ReadVerdict Refuse(Slot& slot, const protocol::FrameResult& frame) noexcept;
  reactor::ReadVerdict ParseSlab(reactor::Connection& connection, std::size_t available);
  reactor::ReadVerdict ParsePartial(reactor::Connection& connection, std::size_t frames = 0);
  /// Writes a message's descriptor; its bytes are in the open slab at `offset`.
  void AppendMessage(const reactor::Connection& connection, std::uint32_t offset,
                     std::span<const std::byte> payload, bool ascii);
  bool DeliverCopy(const reactor::Connection& connection, std::span<const std::byte> payload,
                   bool ascii);

  const protocol::Framer& framer_;
  protocol::PatternTable patterns_;
  Doorbell* doorbell_;
  InboundStream inbound_;
  Mailbox mailbox_;
  reactor::EventLoop* loop_ = nullptr;
  std::vector<Slot> slots_;
  std::vector<Part> parts_;
  std::vector<reactor::Connection*> unflushed_;
  std::vector<std::span<const std::byte>> spans_;  // scratch of Flush()
  LargeFrames large_;
};

}  // namespace bridge
