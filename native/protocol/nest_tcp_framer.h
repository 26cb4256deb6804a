#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "protocol/framer.h"

namespace protocol {

/// Nest's TCP wire format: `<length>#<json>`, where the length counts the UTF-16 code units of the
/// text and the text travels as UTF-8. Bytes that are no UTF-8 count as what a decoder makes of
/// them (one U+FFFD for each maximal subpart), so that both sides always agree.
///
/// White space (space, CR, LF, TAB) in front of a length is skipped, 16 bytes of it at most.
///
/// The payload is the text; `FrameResult::ascii` tells whether it is plain ASCII. Invalid: a length
/// that is not 1 to 10 digits, one above the limit, a text that needs more bytes than the limit,
/// and a length that ends within a surrogate pair. Stricter than Nest, whose parseInt also takes
/// `57junk#`; no client of Nest sends that.
class NestTcpFramer final : public Framer {
 public:
  /// `max_frame_length`: bytes of the text.
  explicit NestTcpFramer(std::size_t max_frame_length) noexcept
      : Framer(FrameContent::kPackets), max_frame_length_(max_frame_length) {}

  FrameResult Next(std::span<const std::byte> input, FrameState& state) const noexcept override;

 private:
  std::size_t max_frame_length_;
};

}  // namespace protocol
