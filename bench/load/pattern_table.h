#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "load/options.h"

namespace gev::load {

// The byte stream every connection sends and expects back: periodic, each connection starting at
// its own place. Byte n of a stream is a function of n alone, so a lost, doubled, shifted or
// foreign byte does not compare equal. The table is longer than its period, so that any slice of it
// is contiguous: sending needs no copy and verifying is one memcmp. Immutable; shared by all
// connections.
//
// Without a framing it is pseudo-random bytes with a prime period. With one it is a prime number of
// framed messages whose content is pseudo-random, and streams start with one of them: lines hold
// printable ASCII, length-prefixed messages any bytes.
class PatternTable {
 public:
  PatternTable(Framing framing, uint32_t size, size_t longest_slice);

  // At least `longest_slice` bytes; `position` is below the period.
  [[nodiscard]] const char* At(size_t position) const { return bytes_.data() + position; }

  // Where the stream of a connection begins: far from its neighbours'.
  [[nodiscard]] size_t StartOf(uint32_t connection) const {
    return size_t{connection} * kStride % (period_ / unit_) * unit_;
  }
  [[nodiscard]] size_t Advance(size_t position, size_t count) const {
    return (position + count) % period_;
  }

 private:
  static constexpr size_t kStride = 40'503;

  size_t unit_;  // streams begin at a multiple of it
  size_t period_;
  std::vector<char> bytes_;
};

}  // namespace gev::load
