#include "protocol/delimited_framer.h"

#include <algorithm>
#include <cassert>
#include <string_view>
#include <utility>

#include "protocol/utf8.h"

namespace protocol {

DelimitedFramer::DelimitedFramer(DelimiterOptions delimiter, std::size_t max_frame_length,
                                 FrameContent content)
    : Framer(content),
      delimiter_(std::move(delimiter)),
      max_frame_length_(max_frame_length),
      max_unended_(max_frame_length + (delimiter_.strip_carriage_return ? 1 : 0) +
                   delimiter_.bytes.size() - 1) {
  assert(!delimiter_.bytes.empty() && delimiter_.bytes.size() <= DelimiterOptions::kMaxLength);
}

FrameResult DelimitedFramer::Next(std::span<const std::byte> input,
                                  FrameState& state) const noexcept {
  const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  const std::string_view delimiter = delimiter_.bytes;
  const std::size_t end = text.find(delimiter, state.scanned);
  if (end == std::string_view::npos) {
    if (text.size() > max_unended_) {
      return FrameResult::TooLong(max_frame_length_ + text.size() - max_unended_);
    }
    // A delimiter may have begun in the last bytes.
    if (text.size() >= delimiter.size()) state.scanned = text.size() - delimiter.size() + 1;
    return FrameResult::Incomplete();
  }
  state.scanned = end;
  const bool is_stripped = delimiter_.strip_carriage_return && end > 0 && text[end - 1] == '\r';
  const std::size_t length = is_stripped ? end - 1 : end;
  if (length > max_frame_length_) {
    return FrameResult::TooLong(length);
  }
  return {.status = FrameResult::Status::kFrame,
          .consumed = end + delimiter.size(),
          .payload_length = length,
          .ascii = content() == FrameContent::kText && IsAscii(input.first(length))};
}

}  // namespace protocol
