#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "bridge/slab.h"

namespace bridge {

/// One record of an outbound slab. Its spans point into the slab.
struct RecordView {
  Operation operation{};
  std::int32_t argument = 0;
  std::uint32_t subject = 0;
  std::uint32_t generation = 0;
  std::span<const std::byte> payload;
  std::span<const std::byte> receivers;  // of kMulticast: pairs (slot, generation)
};

/// Where the records of a slab are, whatever its first word says.
inline std::span<std::byte> RecordsOf(std::byte* slab) noexcept {
  const std::int32_t used = LoadWord(slab);
  const auto end = std::clamp(used < 0 ? std::size_t{0} : static_cast<std::size_t>(used),
                              kSlabHeader, kSlabSize);
  return {slab + kSlabHeader, end - kSlabHeader};
}

/// Takes records one after the other. JavaScript writes their lengths, and no length is believed
/// that leads out of the memory they are in: such a record, and with it the place of the next one,
/// does not exist. Any thread, one at a time.
class RecordReader {
 public:
  explicit RecordReader(std::span<const std::byte> records) noexcept : rest_(records) {}

  std::optional<RecordView> Next() noexcept {
    if (rest_.size() < kRecordHeader) return std::nullopt;
    Record header{};
    std::memcpy(&header, rest_.data(), sizeof header);
    RecordView record{static_cast<Operation>(header.operation & 0xff),
                      header.operation >> 8,
                      header.subject,
                      header.generation,
                      {},
                      {}};
    const std::size_t behind_payload = kRecordHeader + PaddedTo4(header.length);
    const std::size_t receivers =
        record.operation == Operation::kMulticast ? std::size_t{header.subject} * kReceiverSize : 0;
    if (behind_payload > rest_.size() || receivers > rest_.size() - behind_payload) {
      rest_ = {};
      return std::nullopt;
    }
    record.payload = rest_.subspan(kRecordHeader, header.length);
    record.receivers = rest_.subspan(behind_payload, receivers);
    rest_ = rest_.subspan(behind_payload + receivers);
    return record;
  }

  static constexpr std::size_t kReceiverSize = 2 * sizeof(std::uint32_t);

 private:
  std::span<const std::byte> rest_;
};

}  // namespace bridge
