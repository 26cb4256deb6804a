#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace protocol {

/// How far a text has been measured.
struct TextMeasure {
  std::size_t bytes = 0;
  std::size_t units = 0;  // UTF-16 code units that a decoder makes of these bytes
  bool ascii = true;      // no byte above 0x7f among them; as many units as bytes is not enough:
                          // an invalid byte is one unit, too
};

/// Goes on measuring UTF-8 `text` from `measure` until it has `units` code units, or the text ends
/// (a sequence that may still be completed is left for the next time). Each maximal subpart of an
/// invalid sequence counts as one unit, U+FFFD, as the WHATWG decoder has it. A character of two
/// units is never split: the result may have one unit more than asked for.
TextMeasure MeasureUtf8(std::span<const std::byte> text, std::size_t units,
                        TextMeasure measure) noexcept;

/// No byte above 0x7f.
bool IsAscii(std::span<const std::byte> text) noexcept;

}  // namespace protocol
