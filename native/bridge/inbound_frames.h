#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bridge/frame_buffer.h"
#include "bridge/inbound_stream.h"
#include "bridge/large_frames.h"
#include "protocol/framer.h"
#include "protocol/nest_packet.h"
#include "reactor/connection.h"
#include "reactor/loop_handler.h"

namespace bridge {

/// Cuts what a loop's connections receive into frames and writes these into its inbound stream.
///
/// Bytes are received straight into the open slab, and descriptors point at frames where they lie.
/// The begin of a frame that is not complete is kept, up to kCarryLimit to be copied in front of
/// the next bytes; a longer one grows outside of slabs, so that what comes in many small pieces is
/// not copied for each. The loop's thread, but for TakeLarge().
class InboundFrames {
 public:
  /// `framer`: of connections that are dialled, and of those accepted unless FrameListener() says
  /// otherwise. Both must outlive it.
  InboundFrames(InboundStream& stream, const protocol::Framer& framer) noexcept
      : stream_(stream), framer_(framer) {}

  /// Texts of patterns that are handled. Before the loop's first turn.
  void KnowPatterns(std::span<const std::string> patterns) {
    for (const std::string& pattern : patterns) patterns_.Know(pattern);
  }

  /// What connections to `listener` are framed by instead; must outlive it. Before the loop's first
  /// turn.
  void FrameListener(std::size_t listener, const protocol::Framer& framer);

  void Open(const reactor::Connection& connection);
  /// No connection has a slot of `slots` or above.
  void Shrink(std::size_t slots);

  /// These three as LoopHandler has them.
  std::span<std::byte> PrepareRead(const reactor::Connection& connection);
  reactor::ReadVerdict CommitRead(reactor::Connection& connection, std::size_t count);
  void DropInput(const reactor::Connection& connection) noexcept;

  /// False while a large frame waits for JavaScript to fetch others.
  [[nodiscard]] bool HasRoom() const noexcept { return large_.HasRoom(); }
  /// Of the frame that a connection's input was refused for: its bytes, at least, where it is too
  /// long, or with what it begins (FrameResult::kNoBeginning); else 0.
  [[nodiscard]] std::uint32_t Refused(const reactor::Connection& connection) const noexcept {
    return partials_[connection.slot()].refused;
  }

  /// The frame a kLarge descriptor names; once. JavaScript's thread.
  LargeFrame TakeLarge(std::uint32_t ticket) { return large_.Take(ticket); }

 private:
  /// What is kept of one connection's input.
  struct Partial {
    const protocol::Framer* framer = nullptr;
    protocol::FrameState state;
    std::size_t wanted = 0;     // with fewer bytes the frame is not complete
    FrameBuffer buffer;         // begins with the frame that is not complete
    std::uint32_t refused = 0;  // see Refused()
  };

  Partial& PartialOf(const reactor::Connection& connection) { return partials_[connection.slot()]; }
  [[nodiscard]] const protocol::Framer& FramerOf(
      const reactor::Connection& connection) const noexcept;
  static reactor::ReadVerdict Refuse(Partial& partial, const protocol::FrameResult& frame) noexcept;
  reactor::ReadVerdict ParseSlab(const reactor::Connection& connection, std::size_t available);
  reactor::ReadVerdict ParsePartial(const reactor::Connection& connection, std::size_t frames = 0);
  /// Writes a message's descriptor; its bytes are in the open slab at `offset`.
  void AppendMessage(const reactor::Connection& connection, std::uint32_t offset,
                     std::span<const std::byte> payload, bool ascii);
  bool DeliverPartial(const reactor::Connection& connection, const protocol::FrameResult& frame);

  InboundStream& stream_;
  const protocol::Framer& framer_;
  std::vector<const protocol::Framer*> listener_framers_;  // by listener; null: framer_
  protocol::PatternTable patterns_;
  std::vector<Partial> partials_;  // by slot
  LargeFrames large_;
};

}  // namespace bridge
