#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

namespace protocol {

/// Where the parts of a request lie in its text, when that is written as Nest's clients write it:
/// `{"pattern":P,"data":D,"id":"I"}`, P a string or an object, I of letters, digits, '-' and '_'.
///
/// This is the reading of any JSON parser, provided that P and D are JSON values, which is left to
/// whoever uses them. Anything else in the text makes one of the two no JSON value.
struct NestPacketParts {
  std::string_view pattern;
  std::size_t data_offset = 0;
  std::size_t id_length = 0;

  bool operator==(const NestPacketParts&) const noexcept = default;
};

/// Empty when the text, which must be ASCII, is written in another way. Any thread.
std::optional<NestPacketParts> ScanNestPacket(std::span<const std::byte> text) noexcept;

/// Numbers the patterns of packets, so that JavaScript need not look at the text of one it has seen
/// before. Those that are not known beforehand are numbered as they come, and bounded: peers choose
/// them. Belongs to one loop.
class PatternTable {
 public:
  static constexpr std::size_t kMaxInvented = 1024;

  /// A pattern that somebody handles: has its number whatever peers invent. Before the first
  /// packet.
  void Know(std::string_view pattern);
  /// 1 or more; 0 when the table has no room for one more invented pattern.
  std::uint32_t NumberOf(std::string_view pattern);

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> numbers_;
  std::size_t known_ = 0;
};

}  // namespace protocol
