#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "fuzz/mock/fuzz_input.h"
#include "protocol/delimited_framer.h"
#include "protocol/framer.h"
#include "protocol/length_field_framer.h"
#include "protocol/nest_tcp_framer.h"
#include "protocol/raw_framer.h"
#include "test/support/length_field_reference.h"

namespace fuzz {

/// One of all framings, as the input says, and what peers write that speak it: frames, well or
/// ill-formed, and anything.
class FuzzFraming {
 public:
  explicit FuzzFraming(FuzzInput& input) {
    const std::size_t kind = input.Front();
    if (kind < kOthers) {
      PickFirst(kind);
    } else if (kind % 2 == 0) {
      PickDelimited(input);
    } else {
      PickLengthField(input);
    }
  }

  [[nodiscard]] const protocol::Framer& framer() const { return *framer_; }

  std::string Message(FuzzInput& input) const {
    switch (input.Pick(6)) {
      case 0:
        return input.Bytes(input.Pick(32));
      case 1:
        return envelope_ == Envelope::kNest ? Framed(R"({"pattern":"sum","data":[1,2],"id":"7"})")
                                            : Framed(input.Bytes(input.Pick(32)));
      case 2: {
        std::string text;
        for (std::size_t left = input.Pick(40); left > 0; --left) text += "\xe6\xbc\xa2";
        return envelope_ == Envelope::kNest ? std::to_string(text.size() / 3) + '#' + text
                                            : Framed(text);
      }
      case 3:
        return Framed(std::string(input.Size(150'000), 'x'));
      case 4: {
        std::string many;
        for (std::size_t left = input.Size(700); left > 0; --left) many += Framed("{}");
        return many;
      }
      default:
        return Framed(std::string(input.Pick(64), 'y'));
    }
  }

 private:
  enum class Envelope : std::uint8_t { kNest, kDelimiter, kLength };

  /// Inputs that begin with less were found when there were two framings, and mean what they meant.
  static constexpr std::size_t kOthers = 192;

  void PickFirst(std::size_t kind) {
    if (kind % 4 == 0) {
      framer_ = std::make_unique<protocol::RawFramer>();
    } else {
      framer_ = std::make_unique<protocol::NestTcpFramer>(kind % 4 == 1 ? 200 : 1'000'000);
    }
  }
  void PickDelimited(FuzzInput& input) {
    envelope_ = Envelope::kDelimiter;
    const std::size_t limit = PickLimit(input);
    const protocol::FrameContent content = PickContent(input);
    delimiter_.strip_carriage_return = input.Chance();
    const std::string bytes = input.Bytes(1 + input.Pick(4));
    if (!bytes.empty()) delimiter_.bytes = bytes;
    framer_ = std::make_unique<protocol::DelimitedFramer>(delimiter_, limit, content);
  }
  void PickLengthField(FuzzInput& input) {
    envelope_ = Envelope::kLength;
    const std::size_t limit = PickLimit(input);
    const protocol::FrameContent content = PickContent(input);
    field_ = test::PickLengthField([&input] { return input.Front(); });
    framer_ = std::make_unique<protocol::LengthFieldFramer>(field_, limit, content);
  }
  static std::size_t PickLimit(FuzzInput& input) { return input.Chance() ? 200 : 1'000'000; }
  static protocol::FrameContent PickContent(FuzzInput& input) {
    return input.Chance() ? protocol::FrameContent::kText : protocol::FrameContent::kBytes;
  }

  [[nodiscard]] std::string Framed(std::string_view content) const {
    switch (envelope_) {
      case Envelope::kNest:
        return std::to_string(content.size()) + '#' + std::string(content);
      case Envelope::kDelimiter:
        return std::string(content) + delimiter_.bytes;
      case Envelope::kLength:
        break;
    }
    std::string frame(field_.offset, 'h');
    frame += Field(content.size());
    return frame += content;
  }
  /// The field in front of so many bytes; where none can say it, one that says something else.
  [[nodiscard]] std::string Field(std::size_t content) const {
    auto value = static_cast<std::uint64_t>(static_cast<std::int64_t>(content) - field_.adjustment);
    std::string field;
    if (field_.size == protocol::LengthFieldOptions::kVarint) {
      if (field_.includes_header) value += field_.offset + (content < 120 ? 1 : 3);
      for (; value >= 128 && field.size() < 9; value >>= 7U) {
        field += static_cast<char>(value | 128U);
      }
      return field += static_cast<char>(value & 127U);
    }
    if (field_.includes_header) value += field_.offset + field_.size;
    for (std::size_t left = field_.size; left > 0; --left, value >>= 8U) {
      const auto byte = static_cast<char>(value);
      field.insert(field_.little_endian ? field.size() : 0, 1, byte);
    }
    return field;
  }

  std::unique_ptr<const protocol::Framer> framer_;
  Envelope envelope_ = Envelope::kNest;
  protocol::DelimiterOptions delimiter_;
  protocol::LengthFieldOptions field_;
};

}  // namespace fuzz
