#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/length_field_framer.h"

namespace test {

/// Options within bounds, made of the numbers that `pick()` returns.
template <typename Picker>
protocol::LengthFieldOptions PickLengthField(Picker&& pick) {
  constexpr std::uint8_t kSizes[] = {1, 2, 3, 4, 8, protocol::LengthFieldOptions::kVarint};
  protocol::LengthFieldOptions options;
  options.size = kSizes[pick() % 6];
  options.little_endian = pick() % 2 == 0;
  options.offset = pick() % 4;
  options.adjustment = static_cast<std::int64_t>(pick() % 9) - 4;
  options.includes_header = pick() % 2 == 0;
  options.strip = pick() % 8;
  options.strip_header = pick() % 2 == 0;
  return options;
}

/// What a stream with a length field holds, found out in one look at all of it, in numbers that are
/// long enough for anything.
struct LengthFieldReference {
  std::vector<std::string> frames;
  std::size_t rest = 0;  // bytes of the frame that is not complete
  bool refused = false;

  LengthFieldReference(std::string_view stream, const protocol::LengthFieldOptions& options,
                       std::size_t limit) {
    while (TakeFrame(stream, options, limit)) continue;
    rest = stream.size();
  }

 private:
  __extension__ using Wide = __int128;

  bool Refuse() {
    refused = true;
    return false;
  }

  bool TakeFrame(std::string_view& stream, const protocol::LengthFieldOptions& options,
                 std::size_t limit) {
    if (stream.empty()) return false;
    Wide value = 0;
    std::size_t header = options.offset;
    if (options.size == protocol::LengthFieldOptions::kVarint) {
      for (Wide scale = 1;; scale *= 128) {
        if (header == options.offset + 5) return Refuse();
        if (header >= stream.size()) return false;
        const auto byte = static_cast<unsigned char>(stream[header++]);
        value += scale * (byte % 128);
        if (byte < 128 && byte == 0 && scale > 1) return Refuse();
        if (byte < 128) break;
      }
    } else {
      header += options.size;
      if (stream.size() < header) return false;
      std::string digits(stream.substr(options.offset, options.size));
      if (options.little_endian) digits = std::string(digits.rbegin(), digits.rend());
      for (const char digit : digits) value = value * 256 + static_cast<unsigned char>(digit);
    }
    const Wide total =
        value + options.adjustment + static_cast<Wide>(options.includes_header ? 0 : header);
    const std::size_t strip = options.strip_header ? header : options.strip;
    if (total < static_cast<Wide>(header) || total < static_cast<Wide>(strip)) return Refuse();
    if (total - static_cast<Wide>(strip) > static_cast<Wide>(limit)) return Refuse();
    if (static_cast<Wide>(stream.size()) < total) return false;
    const auto size = static_cast<std::size_t>(total);
    frames.emplace_back(stream.substr(strip, size - strip));
    stream.remove_prefix(size);
    return true;
  }
};

}  // namespace test
