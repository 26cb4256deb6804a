#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "protocol/framer.h"

namespace protocol {

/// Frames that end with a delimiter, which is no part of them. Two delimiters in a row have an
/// empty frame between them.
struct DelimiterOptions {
  static constexpr std::size_t kMaxLength = 16;

  std::string bytes = "\n";  // 1 to kMaxLength
  /// A carriage return in front of the delimiter is no part of the frame either.
  bool strip_carriage_return = false;
};

/// Each byte is looked at once, but for as many in front of the newest ones as a delimiter may have
/// begun in. Never invalid; too long is a frame of more than `max_frame_length` bytes, as soon as
/// no delimiter in time can end it.
class DelimitedFramer final : public Framer {
 public:
  /// `content`: kBytes or kText.
  DelimitedFramer(DelimiterOptions delimiter, std::size_t max_frame_length, FrameContent content);

  FrameResult Next(std::span<const std::byte> input, FrameState& state) const noexcept override;

 private:
  DelimiterOptions delimiter_;
  std::size_t max_frame_length_;
  std::size_t max_unended_;  // bytes without a delimiter that may still become a frame
};

}  // namespace protocol
