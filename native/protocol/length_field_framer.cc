#include "protocol/length_field_framer.h"

#include <cassert>

#include "protocol/utf8.h"

namespace protocol {
namespace {

constexpr std::size_t kMaxVarint = 5;
/// No frame is so long; sums of lengths up to it and of what options allow fit an int64.
constexpr std::uint64_t kMaxLength = std::uint64_t{1} << 56U;

}  // namespace

LengthFieldFramer::LengthFieldFramer(const LengthFieldOptions& options,
                                     std::size_t max_frame_length, FrameContent content) noexcept
    : Framer(content), options_(options), max_frame_length_(max_frame_length) {
  assert(options.size <= sizeof(std::uint64_t));
  assert(options.offset <= LengthFieldOptions::kMaxOffset);
  assert(options.strip <= LengthFieldOptions::kMaxOffset);
  assert(options.adjustment >= -LengthFieldOptions::kMaxAdjustment &&
         options.adjustment <= LengthFieldOptions::kMaxAdjustment);
}

LengthFieldFramer::Header LengthFieldFramer::ReadFixed(
    std::span<const std::byte> input) const noexcept {
  const std::size_t end = options_.offset + options_.size;
  if (input.size() < end) return {.problem = FrameResult::Incomplete(end)};
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < options_.size; ++i) {
    const std::size_t at = options_.little_endian ? end - 1 - i : options_.offset + i;
    length = length << 8U | std::to_integer<std::uint64_t>(input[at]);
  }
  return {.length = length, .end = end, .problem = {}};
}

LengthFieldFramer::Header LengthFieldFramer::ReadVarint(
    std::span<const std::byte> input) const noexcept {
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kMaxVarint; ++i) {
    const std::size_t at = options_.offset + i;
    if (at >= input.size()) return {.problem = FrameResult::Incomplete(at + 1)};
    const auto byte = std::to_integer<std::uint64_t>(input[at]);
    length |= (byte & 0x7fU) << (7 * i);
    if ((byte & 0x80U) != 0) continue;
    if (byte == 0 && i > 0) break;
    return {.length = length, .end = at + 1, .problem = {}};
  }
  return {.problem = FrameResult::Invalid()};
}

FrameResult LengthFieldFramer::Next(std::span<const std::byte> input,
                                    FrameState& /*state*/) const noexcept {
  const Header header =
      options_.size == LengthFieldOptions::kVarint ? ReadVarint(input) : ReadFixed(input);
  if (header.end == 0) return header.problem;
  if (header.length > kMaxLength) return FrameResult::TooLong(header.length);
  const auto end = static_cast<std::int64_t>(header.end);
  const std::int64_t total = static_cast<std::int64_t>(header.length) + options_.adjustment +
                             (options_.includes_header ? 0 : end);
  const std::int64_t strip =
      options_.strip_header ? end : static_cast<std::int64_t>(options_.strip);
  if (total < end || total < strip) return FrameResult::Invalid();
  const auto payload = static_cast<std::uint64_t>(total - strip);
  if (payload > max_frame_length_) return FrameResult::TooLong(payload);
  const auto consumed = static_cast<std::size_t>(total);
  if (input.size() < consumed) return FrameResult::Incomplete(consumed);
  const auto offset = static_cast<std::size_t>(strip);
  const auto length = static_cast<std::size_t>(payload);
  return {.status = FrameResult::Status::kFrame,
          .consumed = consumed,
          .payload_offset = offset,
          .payload_length = length,
          .ascii = content() == FrameContent::kText && IsAscii(input.subspan(offset, length))};
}

}  // namespace protocol
