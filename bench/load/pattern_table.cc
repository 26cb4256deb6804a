#include "load/pattern_table.h"

namespace gev::load {
namespace {

constexpr size_t kBytes = 65'521;    // a prime
constexpr size_t kMessages = 1'021;  // a prime
constexpr char kFirstPrintable = 0x20;
constexpr uint64_t kPrintable = 0x7f - 0x20;

class PseudoRandom {
 public:
  uint64_t Next() {  // xorshift64
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ >> 32;
  }

 private:
  uint64_t state_ = 0x9e3779b97f4a7c15U;
};

void AppendMessage(std::vector<char>& bytes, Framing framing, uint32_t size, PseudoRandom& random) {
  if (framing == Framing::kLength) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(size >> shift));
  }
  for (uint32_t index = 0; index < size; ++index) {
    const uint64_t value = random.Next();
    bytes.push_back(framing == Framing::kLine
                        ? static_cast<char>(kFirstPrintable + static_cast<char>(value % kPrintable))
                        : static_cast<char>(value));
  }
  if (framing == Framing::kLine) bytes.push_back('\n');
}

}  // namespace

PatternTable::PatternTable(Framing framing, uint32_t size, size_t longest_slice)
    : unit_(framing == Framing::kNone ? 1 : size + EnvelopeBytes(framing)),
      period_(framing == Framing::kNone ? kBytes : kMessages * unit_) {
  bytes_.reserve(period_ + longest_slice);
  PseudoRandom random;
  const auto content = framing == Framing::kNone ? uint32_t{1} : size;
  while (bytes_.size() < period_) AppendMessage(bytes_, framing, content, random);
  while (bytes_.size() < period_ + longest_slice) bytes_.push_back(bytes_[bytes_.size() - period_]);
}

}  // namespace gev::load
