#include "protocol/nest_packet.h"

namespace protocol {
namespace {

constexpr std::string_view kHead = R"({"pattern":)";
constexpr std::string_view kData = R"(,"data":)";
constexpr std::string_view kId = R"(,"id":")";
constexpr std::string_view kTail = R"("})";
constexpr std::size_t kMaxPatternLength = 256;
constexpr std::size_t kMaxIdLength = 64;

constexpr bool IsPlain(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '_';
}

/// Length of the string that `text` begins with, quotes included; 0: none without escapes.
std::size_t StringLength(std::string_view text) noexcept {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1;
    if (text[i] == '\\' || text[i] < ' ') return 0;
  }
  return 0;
}

/// Length of the object that `text` begins with; 0: none, or none so simple.
std::size_t ObjectLength(std::string_view text) noexcept {
  std::size_t depth = 0;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '"') {
      const std::size_t length = StringLength(text.substr(i));
      if (length == 0) return 0;
      i += length;
      continue;
    }
    ++i;
    if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return i;
    }
  }
  return 0;
}

}  // namespace

std::optional<NestPacketParts> ScanNestPacket(std::span<const std::byte> bytes) noexcept {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(kHead) || !text.ends_with(kTail)) return std::nullopt;
  const std::string_view rest = text.substr(kHead.size(), kMaxPatternLength);
  const std::size_t length = rest.starts_with('"')   ? StringLength(rest)
                             : rest.starts_with('{') ? ObjectLength(rest)
                                                     : 0;
  if (length == 0) return std::nullopt;
  const std::size_t data = kHead.size() + length + kData.size();
  if (!text.substr(kHead.size() + length).starts_with(kData)) return std::nullopt;

  const std::size_t id_end = text.size() - kTail.size();
  std::size_t id = id_end;
  while (id > data && id_end - id <= kMaxIdLength && IsPlain(text[id - 1])) --id;
  if (id == id_end || id_end - id > kMaxIdLength || id < data + kId.size()) return std::nullopt;
  if (text.substr(id - kId.size(), kId.size()) != kId) return std::nullopt;
  return NestPacketParts{rest.substr(0, length), data, id_end - id};
}

void PatternTable::Know(std::string_view pattern) {
  if (numbers_.try_emplace(std::string(pattern), numbers_.size() + 1).second) ++known_;
}

std::uint32_t PatternTable::NumberOf(std::string_view pattern) {
  const auto known = numbers_.find(pattern);
  if (known != numbers_.end()) return known->second;
  if (numbers_.size() - known_ == kMaxInvented) return 0;
  const auto number = static_cast<std::uint32_t>(numbers_.size() + 1);
  numbers_.emplace(pattern, number);
  return number;
}

}  // namespace protocol
