#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

namespace reactor {

/// An IPv6 address in network byte order; an IPv4 one in its mapped form, ::ffff:a.b.c.d, whichever
/// way it came. As with numbers, the smaller comes first.
using Address = std::array<std::uint8_t, 16>;

/// Addresses, as sorted ranges that do not touch. Immutable; safe from any thread.
class AddressRanges {
 public:
  struct Range {
    Address first;
    Address last;  // of it, too
  };

  AddressRanges() = default;
  explicit AddressRanges(std::vector<Range> sorted) noexcept : ranges_(std::move(sorted)) {}

  /// Of pairs of addresses, 32 bytes each: what src/engine/address-ranges.ts has sorted.
  static AddressRanges FromBytes(std::span<const std::byte> bytes) {
    std::vector<Range> ranges(bytes.size() / sizeof(Range));
    if (!ranges.empty()) {
      std::memcpy(ranges.data(), bytes.data(), ranges.size() * sizeof(Range));
    }
    return AddressRanges(std::move(ranges));
  }

  [[nodiscard]] bool empty() const noexcept { return ranges_.empty(); }
  [[nodiscard]] bool Contains(const Address& address) const noexcept {
    const auto behind = std::ranges::upper_bound(ranges_, address, {}, &Range::first);
    return behind != ranges_.begin() && address <= std::prev(behind)->last;
  }

 private:
  std::vector<Range> ranges_;
};

}  // namespace reactor
