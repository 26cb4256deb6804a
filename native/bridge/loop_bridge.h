#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bridge/doorbell.h"
#include "bridge/inbound_events.h"
#include "bridge/inbound_frames.h"
#include "bridge/inbound_stream.h"
#include "bridge/large_frames.h"
#include "bridge/mailbox.h"
#include "bridge/outbound_records.h"
#include "protocol/framer.h"
#include "reactor/event_loop.h"
#include "reactor/loop_handler.h"

namespace bridge {

/// Joins one EventLoop to JavaScript:
///
///   EventLoop ──received bytes──▶ InboundFrames ──┐
///       │                                         ├──▶ InboundStream ──slabs──▶ JavaScript
///       └──────────events───────▶ InboundEvents ──┘
///   EventLoop ◀──commands── OutboundRecords ◀── Mailbox ◀──slabs── JavaScript
///
/// LoopHandler's functions run on the loop's thread; inbound() and mailbox() say who may call what.
///
/// What finds no room is neither lost nor waited for:
///
///   loop:        On…() finds no slab free, returns false; the event stays with its connection
///   loop:        says that it starves, looks once more, and sleeps while AwaitRoom() is false
///   JavaScript:  reads a slab and releases it; finds that the loop starves, and wakes it
///   loop:        offers the events again, in order
class LoopBridge final : public reactor::LoopHandler {
 public:
  /// `framer`: of connections that are dialled, and of those accepted unless FrameListener() says
  /// otherwise. It and `doorbell` (may be null for a host-driven loop) must outlive the bridge.
  LoopBridge(const protocol::Framer& framer, Doorbell* doorbell, std::vector<std::byte*> inbound,
             std::vector<std::byte*> outbound)
      : doorbell_(doorbell),
        inbound_(std::move(inbound)),
        mailbox_(std::move(outbound)),
        events_(inbound_),
        frames_(inbound_, framer) {}

  /// Once, before the loop's first turn.
  void Attach(reactor::EventLoop& loop) noexcept {
    records_.Attach(loop);
    mailbox_.CountIn(loop.options().output_budget);
  }

  /// Texts of patterns that are handled. Before the loop's first turn.
  void KnowPatterns(std::span<const std::string> patterns) { frames_.KnowPatterns(patterns); }

  /// What connections to `listener` are framed by instead; must outlive the bridge. Before the
  /// loop's first turn.
  void FrameListener(std::size_t listener, const protocol::Framer& framer) {
    frames_.FrameListener(listener, framer);
  }

  [[nodiscard]] InboundStream& inbound() noexcept { return inbound_; }
  [[nodiscard]] Mailbox& mailbox() noexcept { return mailbox_; }

  /// The frame a kLarge descriptor names; once. JavaScript's thread.
  LargeFrame TakeLarge(std::uint32_t ticket) { return frames_.TakeLarge(ticket); }

  // --- LoopHandler -------------------------------------------------------------------------------

  [[nodiscard]] bool HasCommands() const noexcept override { return !mailbox_.Empty(); }
  void RunCommands() override;
  [[nodiscard]] bool AwaitRoom() noexcept override;
  void BeginEvents() override { inbound_.Lock(); }
  void EndEvents() override;

  bool OnOpen(reactor::Connection& connection) override;
  std::span<std::byte> PrepareRead(reactor::Connection& connection) override {
    return frames_.PrepareRead(connection);
  }
  reactor::ReadVerdict CommitRead(reactor::Connection& connection, std::size_t count) override {
    return frames_.CommitRead(connection, count);
  }
  void DropInput(reactor::Connection& connection) noexcept override {
    frames_.DropInput(connection);
  }
  bool OnEnd(reactor::Connection& connection) override {
    return events_.End(connection, frames_.Refused(connection));
  }
  bool OnDrain(reactor::Connection& connection) override { return events_.Drain(connection); }
  bool OnFlushed(reactor::Connection& connection) override { return events_.Flushed(connection); }
  bool OnIdle(reactor::Connection& connection) override { return events_.Idle(connection); }
  bool OnClose(reactor::Connection& connection, reactor::CloseReason reason, int error) override {
    return events_.Close(connection, reason, error, frames_.Refused(connection));
  }
  void OnFewerSlots(std::size_t slots) noexcept override;
  bool OnDialFailed(reactor::DialToken token, int error) override {
    return events_.DialFailed(token, error);
  }
  bool OnTimer(reactor::TimerId id, std::uint32_t skipped) override {
    return events_.Timer(id, skipped);
  }
  bool OnQuiesced() override { return events_.Quiesced(); }
  void OnFailure(reactor::LoopFailure failure, int error) override {
    events_.Failure(failure, error);
  }
  void OnRefused(const reactor::RefusalReport& report) override { events_.Refused(report); }

 private:
  Doorbell* doorbell_;
  InboundStream inbound_;
  Mailbox mailbox_;
  InboundEvents events_;
  InboundFrames frames_;
  OutboundRecords records_;
};

}  // namespace bridge
