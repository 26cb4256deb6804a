#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bridge/inbound_stream.h"
#include "reactor/close_reason.h"
#include "reactor/connection.h"
#include "reactor/loop_handler.h"

namespace bridge {

/// Writes what happens on a loop, messages apart, into its inbound stream. Each function returns
/// false, and has written nothing, when no slab is free. The loop's thread; within LoopHandler's
/// BeginEvents() and EndEvents().
class InboundEvents {
 public:
  /// `stream` must outlive it.
  explicit InboundEvents(InboundStream& stream) noexcept : stream_(stream) {}

  bool Open(const reactor::Connection& connection);
  /// Before Open(), of one that a proxy has made.
  bool Proxied(const reactor::Connection& connection, std::span<const std::byte> findings);
  /// `refused`: see InboundFrames::Refused().
  bool End(const reactor::Connection& connection, std::uint32_t refused) {
    return Write(EventKind::kEnd, connection, refused);
  }
  bool Drain(const reactor::Connection& connection) { return Write(EventKind::kDrain, connection); }
  bool Flushed(const reactor::Connection& connection);
  bool Idle(const reactor::Connection& connection) { return Write(EventKind::kIdle, connection); }
  /// `refused`: see InboundFrames::Refused().
  bool Close(const reactor::Connection& connection, reactor::CloseReason reason, int error,
             std::uint32_t refused);
  bool DialFailed(reactor::DialToken token, int error);
  /// Of one that goes through a channel, before Open().
  bool Secured(const reactor::Connection& connection);
  bool Timer(reactor::TimerId id, std::uint32_t skipped);
  bool Quiesced();
  bool Failure(reactor::LoopFailure failure, int error);
  bool Refused(const reactor::RefusalReport& report);

 private:
  bool Write(EventKind kind, const reactor::Connection& connection, std::uint32_t a = 0,
             std::uint32_t b = 0, std::uint32_t c = 0) {
    return Write(EventDescriptor{kind, connection.slot(), connection.generation(), 0, 0, a, b, c});
  }
  bool Write(const EventDescriptor& event);

  InboundStream& stream_;
};

}  // namespace bridge
