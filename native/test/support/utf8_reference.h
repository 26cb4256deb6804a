#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace test {

/// The UTF-8 decoder of the WHATWG Encoding Standard, written down from its text: a byte at a time
/// and slow, to compare a fast one with.
class Utf8Reference {
 public:
  Utf8Reference() = default;
  explicit Utf8Reference(std::string_view bytes) {
    for (const char byte : bytes) Push(static_cast<std::uint8_t>(byte));
  }

  void Push(std::uint8_t byte) {
    if (needed_ == 0) {
      Begin(byte);
    } else if (byte < lower_ || byte > upper_) {
      text_ += kReplacement;
      needed_ = seen_ = 0;
      Begin(byte);
    } else {
      lower_ = 0x80;
      upper_ = 0xbf;
      code_point_ = (code_point_ << 6U) | (byte & 0x3fU);
      if (++seen_ == needed_) Emit();
    }
  }

  /// The end of the input: a sequence that was not completed is one more U+FFFD.
  void Finish() {
    if (needed_ != 0) text_ += kReplacement;
    needed_ = seen_ = 0;
  }

  /// What was decoded so far, in UTF-16.
  [[nodiscard]] const std::u16string& text() const { return text_; }
  /// Bytes of a sequence that may still be completed.
  [[nodiscard]] std::size_t pending() const { return needed_ == 0 ? 0 : seen_ + 1; }

 private:
  static constexpr char16_t kReplacement = 0xfffd;

  void Begin(std::uint8_t byte) {
    lower_ = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
    upper_ = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
    seen_ = 0;
    if (byte <= 0x7f) {
      text_ += static_cast<char16_t>(byte);
    } else if (byte >= 0xc2 && byte <= 0xdf) {
      needed_ = 1;
      code_point_ = byte & 0x1fU;
    } else if (byte >= 0xe0 && byte <= 0xef) {
      needed_ = 2;
      code_point_ = byte & 0xfU;
    } else if (byte >= 0xf0 && byte <= 0xf4) {
      needed_ = 3;
      code_point_ = byte & 0x7U;
    } else {
      text_ += kReplacement;
    }
  }

  void Emit() {
    if (code_point_ < 0x10000) {
      text_ += static_cast<char16_t>(code_point_);
    } else {
      text_ += static_cast<char16_t>(0xd7c0U + (code_point_ >> 10U));
      text_ += static_cast<char16_t>(0xdc00U | (code_point_ & 0x3ffU));
    }
    needed_ = seen_ = 0;
  }

  std::u16string text_;
  std::uint32_t code_point_ = 0;
  std::size_t needed_ = 0;
  std::size_t seen_ = 0;
  std::uint8_t lower_ = 0x80;
  std::uint8_t upper_ = 0xbf;
};

}  // namespace test
