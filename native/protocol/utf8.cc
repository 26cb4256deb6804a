#include "protocol/utf8.h"

#include <algorithm>
#include <cstring>

namespace protocol {
namespace {

constexpr std::uint64_t kHighBits = 0x8080808080808080U;
constexpr std::size_t kBlock = sizeof(std::uint64_t);

struct Range {
  std::uint8_t first;
  std::uint8_t last;

  [[nodiscard]] bool Has(std::uint8_t byte) const noexcept { return first <= byte && byte <= last; }
};
constexpr Range kContinuation{0x80, 0xbf};

/// What a lead byte announces: continuation bytes, and what the first of them may be.
struct Lead {
  std::size_t continuations;  // 0: no lead byte
  Range second;
};

constexpr Lead LeadOf(std::uint8_t byte) noexcept {
  if (byte < 0xc2 || byte > 0xf4) return {0, kContinuation};
  if (byte < 0xe0) return {1, kContinuation};
  if (byte == 0xe0) return {2, {0xa0, 0xbf}};
  if (byte == 0xed) return {2, {0x80, 0x9f}};
  if (byte < 0xf0) return {2, kContinuation};
  if (byte == 0xf0) return {3, {0x90, 0xbf}};
  if (byte == 0xf4) return {3, {0x80, 0x8f}};
  return {3, kContinuation};
}

bool IsAsciiBlock(const std::byte* bytes) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, kBlock);
  return (word & kHighBits) == 0;
}

}  // namespace

bool IsAscii(std::span<const std::byte> text) noexcept {
  for (; text.size() >= kBlock; text = text.subspan(kBlock)) {
    if (!IsAsciiBlock(text.data())) return false;
  }
  return std::ranges::none_of(text, [](std::byte byte) { return byte >= std::byte{0x80}; });
}

TextMeasure MeasureUtf8(std::span<const std::byte> text, std::size_t units,
                        TextMeasure measure) noexcept {
  while (measure.units < units && measure.bytes < text.size()) {
    while (text.size() - measure.bytes >= kBlock && units - measure.units >= kBlock &&
           IsAsciiBlock(text.data() + measure.bytes)) {
      measure.bytes += kBlock;
      measure.units += kBlock;
    }
    if (measure.units >= units || measure.bytes == text.size()) break;
    const auto byte = std::to_integer<std::uint8_t>(text[measure.bytes]);
    if (byte < 0x80) {
      ++measure.bytes;
      ++measure.units;
      continue;
    }
    const Lead lead = LeadOf(byte);
    std::size_t length = 1;
    Range allowed = lead.second;
    while (length <= lead.continuations) {
      if (measure.bytes + length == text.size()) return measure;  // may be completed yet
      if (!allowed.Has(std::to_integer<std::uint8_t>(text[measure.bytes + length]))) break;
      allowed = kContinuation;
      ++length;
    }
    measure.bytes += length;
    measure.units += length == 4 ? 2 : 1;
    measure.ascii = false;
  }
  return measure;
}

}  // namespace protocol
