#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gev::load {

// The byte stream every connection sends and expects back: pseudo-random with a prime period, each
// connection starting at its own place. Byte n of a stream is a function of n alone, so a lost,
// doubled, shifted or foreign byte does not compare equal. The table is longer than its period, so
// that any slice of it is contiguous: sending needs no copy and verifying is one memcmp. Immutable;
// shared by all connections.
class PatternTable {
 public:
  static constexpr size_t kPeriod = 65'521;

  explicit PatternTable(size_t longest_slice);

  // At least `longest_slice` bytes; `position` is below kPeriod.
  [[nodiscard]] const char* At(size_t position) const { return bytes_.data() + position; }

  // Where the stream of a connection begins: far from its neighbours'.
  static size_t StartOf(uint32_t connection) { return size_t{connection} * 40'503 % kPeriod; }
  static size_t Advance(size_t position, size_t count) { return (position + count) % kPeriod; }

 private:
  std::vector<char> bytes_;
};

}  // namespace gev::load
