#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace reactor {

/// A set of numbers below kSize that tells its lowest.
template <std::size_t kSize>
class SlotSet {
 public:
  static constexpr std::size_t kNone = kSize;

  void Add(std::size_t number) noexcept { WordOf(number) |= BitOf(number); }
  void Remove(std::size_t number) noexcept { WordOf(number) &= ~BitOf(number); }

  /// kNone when it is empty.
  [[nodiscard]] std::size_t Lowest() const noexcept {
    for (std::size_t word = 0; word < words_.size(); ++word) {
      if (words_[word] != 0) {
        return word * kBits + static_cast<std::size_t>(std::countr_zero(words_[word]));
      }
    }
    return kNone;
  }

 private:
  static constexpr std::size_t kBits = 64;
  static_assert(kSize % kBits == 0);

  std::uint64_t& WordOf(std::size_t number) noexcept { return words_[number / kBits]; }
  static std::uint64_t BitOf(std::size_t number) noexcept {
    return std::uint64_t{1} << (number % kBits);
  }

  std::array<std::uint64_t, kSize / kBits> words_{};
};

}  // namespace reactor
