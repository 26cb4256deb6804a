#include "protocol/nest_tcp_framer.h"

#include <algorithm>

#include "protocol/utf8.h"

namespace protocol {
namespace {

constexpr std::size_t kMaxDigits = 10;
constexpr std::size_t kMaxWhiteSpace = 16;

bool IsWhiteSpace(std::byte byte) noexcept {
  return byte == std::byte{' '} || byte == std::byte{'\n'} || byte == std::byte{'\r'} ||
         byte == std::byte{'\t'};
}

FrameResult SkipWhiteSpace(std::span<const std::byte> input, FrameState& state) noexcept {
  std::size_t count = 1;
  while (count < input.size() && IsWhiteSpace(input[count])) ++count;
  if (state.skipped + count > kMaxWhiteSpace) return FrameResult::Invalid();
  state.skipped = static_cast<std::uint8_t>(state.skipped + count);
  return FrameResult::Skipped(count);
}

}  // namespace

FrameResult NestTcpFramer::Next(std::span<const std::byte> input,
                                FrameState& state) const noexcept {
  if (IsWhiteSpace(input.front())) return SkipWhiteSpace(input, state);
  std::uint64_t length = 0;
  std::size_t digits = 0;
  for (;; ++digits) {
    if (digits == input.size()) return FrameResult::Incomplete();
    const auto digit = std::to_integer<unsigned>(input[digits]) - '0';
    if (digit > 9) break;
    if (digits == kMaxDigits) return FrameResult::Invalid();
    length = length * 10 + digit;
  }
  if (digits == 0) return FrameResult::NoBeginning(input.front());
  if (input[digits] != std::byte{'#'}) return FrameResult::Invalid();
  if (length > max_frame_length_) return FrameResult::TooLong(length);

  const std::size_t header = digits + 1;
  const std::span<const std::byte> text = input.subspan(header);
  // A code unit takes a byte at least.
  if (text.size() < length) return FrameResult::Incomplete(header + length);
  const TextMeasure measure = MeasureUtf8(text, length, {state.scanned, state.count, state.ascii});
  if (measure.bytes > max_frame_length_) return FrameResult::TooLong(measure.bytes);
  if (measure.units > length) return FrameResult::Invalid();
  state = {measure.bytes, measure.units, measure.ascii, state.skipped};
  if (measure.units < length) {
    // With one byte above the limit there is something to be said, too. Not before, even if it is
    // clear that it will come to that: what is said does not depend on how the stream is split.
    const std::size_t bytes = measure.bytes + (length - measure.units);
    return FrameResult::Incomplete(header + std::min(bytes, max_frame_length_ + 1));
  }
  return {.status = FrameResult::Status::kFrame,
          .consumed = header + measure.bytes,
          .payload_offset = header,
          .payload_length = measure.bytes,
          .ascii = measure.ascii};
}

}  // namespace protocol
