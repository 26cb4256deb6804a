#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "protocol/framer.h"

namespace protocol {

/// Frames in whose header a field tells how long they are:
///
///   ◀─────────────────────── whole frame ───────────────────────▶
///   offset bytes │ length field │ length + adjustment bytes
///   ◀─── strip ───▶◀─────────────── payload ────────────────────▶
///
/// With `includes_header` the field counts what is in front of its own end as well.
struct LengthFieldOptions {
  static constexpr std::uint8_t kVarint = 0;
  static constexpr std::size_t kMaxOffset = 0xffff;
  static constexpr std::int64_t kMaxAdjustment = 0x7fffffff;

  std::uint8_t size = 4;  // bytes of the field: 1, 2, 3, 4 or 8, unsigned; or kVarint, LEB128
  bool little_endian = false;
  std::size_t offset = 0;       // up to kMaxOffset
  std::int64_t adjustment = 0;  // -kMaxAdjustment to kMaxAdjustment
  bool includes_header = false;
  std::size_t strip = 0;     // bytes at the front that are not delivered; up to kMaxOffset …
  bool strip_header = true;  // … or, instead, all up to the end of the field
};

/// Too long is a frame whose payload has more than `max_frame_length` bytes, whatever the field
/// says by itself. Invalid: a frame that would end within its header or within what is stripped,
/// and a varint that has more than five bytes or ends with a zero that it does not need.
class LengthFieldFramer final : public Framer {
 public:
  /// `content`: kBytes or kText.
  LengthFieldFramer(const LengthFieldOptions& options, std::size_t max_frame_length,
                    FrameContent content) noexcept;

  FrameResult Next(std::span<const std::byte> input, FrameState& state) const noexcept override;

 private:
  /// What lies at the start of a frame. `end` 0: not all of it is there, or it is not valid.
  struct Header {
    std::uint64_t length = 0;
    std::size_t end = 0;
    FrameResult problem;
  };

  [[nodiscard]] Header ReadFixed(std::span<const std::byte> input) const noexcept;
  [[nodiscard]] Header ReadVarint(std::span<const std::byte> input) const noexcept;

  LengthFieldOptions options_;
  std::size_t max_frame_length_;
};

}  // namespace protocol
