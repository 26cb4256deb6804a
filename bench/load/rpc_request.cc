#include "load/rpc_request.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>

namespace gev::load {
namespace {

// Where the parts of an id begin; each fills with zeros.
constexpr size_t kSlotOffset = 5;
constexpr size_t kCountOffset = kSlotOffset + 4;
static_assert(RpcRequest::kJsonBytes >= 10 && RpcRequest::kJsonBytes <= 99);

std::string ZeroFilled(uint32_t number, size_t digits) {
  const std::string text = std::to_string(number);
  return std::string(digits - std::min(digits, text.size()), '0') + text;
}

}  // namespace

SummandTable::SummandTable() : entries_(kPeriod) {
  uint64_t state = 0x9e3779b97f4a7c15U;  // xorshift64
  for (Summands& entry : entries_) {
    std::string text;
    entry.sum = 0;
    for (size_t index = 0; index < Summands::kCount; ++index) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      const auto number = static_cast<int32_t>(100 + state % 900);
      entry.sum += number;
      text += (index == 0 ? '[' : ',') + std::to_string(number);
    }
    text += ']';
    std::ranges::copy(text, entry.text.begin());
  }
}

RpcRequest::RpcRequest(uint32_t connection, uint32_t slot, std::string_view pattern) {
  std::string text = std::to_string(kJsonBytes) + '#';
  text += kBeforePattern;
  text += pattern;
  text += kBeforeData;
  text.append(Summands::kBytes, ' ');
  text += kBeforeId;
  text += ZeroFilled(connection, kSlotOffset) + ZeroFilled(slot, kCountOffset - kSlotOffset) +
          ZeroFilled(0, kIdBytes - kCountOffset);
  text += kAfterId;
  std::ranges::copy(text, text_.begin());
}

void RpcRequest::Renew(const Summands& summands) {
  std::memcpy(text_.data() + kDataOffset, summands.text.data(), Summands::kBytes);
  // An odometer: nine times out of ten one digit changes.
  for (char* digit = text_.data() + kIdOffset + kIdBytes - 1; ++*digit > '9'; --digit) *digit = '0';
}

uint32_t RpcRequest::SlotOf(std::string_view id) {
  uint32_t slot = 0;
  if (id.size() != kIdBytes) return std::numeric_limits<uint32_t>::max();
  for (const char letter : id.substr(kSlotOffset, kCountOffset - kSlotOffset)) {
    slot = slot * 10 + static_cast<uint32_t>(letter - '0');
  }
  return slot;
}

}  // namespace gev::load
