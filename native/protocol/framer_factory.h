#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "protocol/delimited_framer.h"
#include "protocol/framer.h"
#include "protocol/length_field_framer.h"

namespace protocol {

enum class FramingKind : std::uint8_t { kRaw = 0, kNestTcp = 1, kDelimited = 2, kLengthField = 3 };

/// How connections are framed. What does not belong to `kind` is ignored.
struct FramingOptions {
  FramingKind kind = FramingKind::kRaw;
  std::size_t max_frame_length = 64 * 1024 * 1024;  // bytes of a frame's content; not of kRaw
  bool text = false;                                // content is UTF-8; of the last two kinds
  DelimiterOptions delimiter = {};
  LengthFieldOptions length_field = {};
};

/// The one place that knows all framers. Throws std::invalid_argument for options out of range.
std::unique_ptr<const Framer> MakeFramer(const FramingOptions& options);

}  // namespace protocol
