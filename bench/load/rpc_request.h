#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace gev::load {

// Five numbers as they stand in a request, and their sum.
struct Summands {
  static constexpr size_t kCount = 5;
  static constexpr size_t kDigits = 3;  // 100 to 999
  static constexpr size_t kBytes = kCount * (kDigits + 1) + 1;

  std::array<char, kBytes> text;  // [123,456,789,123,456]
  int32_t sum;
};

// The numbers that requests carry: pseudo-random, written out once. Small enough to stay in the
// cache. Immutable; shared by all connections.
class SummandTable {
 public:
  static constexpr size_t kPeriod = 251;

  SummandTable();

  // `index` is below kPeriod.
  [[nodiscard]] const Summands& At(size_t index) const { return entries_[index]; }

  // Where a connection begins, so that neighbours ask for different sums.
  static size_t StartOf(uint32_t connection) { return size_t{connection} * 97 % kPeriod; }

 private:
  std::vector<Summands> entries_;
};

// One request in Nest's wire format, composed once. To send it again two places are overwritten:
// the numbers, and the id, which counts up. An id is `<connection><slot><count>`, decimal and as
// long as Nest's own, so no two requests of a run share one and the slot of a reply is read off
// its id.
class RpcRequest {
 public:
  // `pattern`: JSON text of kPatternBytes.
  RpcRequest(uint32_t connection, uint32_t slot, std::string_view pattern);

  // The next request: a new id, and these numbers.
  void Renew(const Summands& summands);

  [[nodiscard]] std::string_view Text() const { return {text_.data(), text_.size()}; }
  [[nodiscard]] std::string_view Id() const { return Text().substr(kIdOffset, kIdBytes); }

  // The slot in an id, or one that no connection has when this is not an id of ours.
  static uint32_t SlotOf(std::string_view id);

  // The two ways a Nest application writes patterns, equally long.
  static constexpr std::string_view kObjectPattern = "{\"cmd\":\"sum\"}";
  static constexpr std::string_view kStringPattern = "\"sum-of-five\"";
  static constexpr size_t kPatternBytes = kObjectPattern.size();
  static_assert(kStringPattern.size() == kPatternBytes);

  static constexpr std::string_view kBeforePattern = "{\"pattern\":";
  static constexpr std::string_view kBeforeData = ",\"data\":";
  static constexpr std::string_view kBeforeId = ",\"id\":\"";
  static constexpr std::string_view kAfterId = "\"}";
  static constexpr size_t kIdBytes = 21;
  static constexpr size_t kJsonBytes = kBeforePattern.size() + kPatternBytes + kBeforeData.size() +
                                       Summands::kBytes + kBeforeId.size() + kIdBytes +
                                       kAfterId.size();
  static constexpr size_t kPrefixBytes = 3;  // "NN#"
  static constexpr size_t kBytes = kPrefixBytes + kJsonBytes;

 private:
  static constexpr size_t kDataOffset =
      kPrefixBytes + kBeforePattern.size() + kPatternBytes + kBeforeData.size();
  static constexpr size_t kIdOffset = kDataOffset + Summands::kBytes + kBeforeId.size();

  std::array<char, kBytes> text_;
};

}  // namespace gev::load
