#include "load/pattern_table.h"

namespace gev::load {

PatternTable::PatternTable(size_t longest_slice) : bytes_(kPeriod + longest_slice) {
  uint64_t state = 0x9e3779b97f4a7c15U;  // xorshift64
  for (size_t index = 0; index < bytes_.size(); ++index) {
    if (index >= kPeriod) {
      bytes_[index] = bytes_[index - kPeriod];
      continue;
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    bytes_[index] = static_cast<char>(state >> 32);
  }
}

}  // namespace gev::load
