#include "protocol/utf8.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <string_view>

#include "test/support/utf8_reference.h"

namespace protocol {
namespace {

using test::Utf8Reference;

constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

TextMeasure Measure(std::string_view text, std::size_t units, TextMeasure from = {}) {
  return MeasureUtf8(std::as_bytes(std::span(text.data(), text.size())), units, from);
}

/// Bytes in which every rule of UTF-8 is kept and broken often: ASCII runs, characters of all
/// lengths, cut ones, leads and continuations at the edges of their ranges, and noise.
class Utf8Noise {
 public:
  explicit Utf8Noise(unsigned seed) : random_(seed) {}

  std::string Next(std::size_t pieces) {
    std::string text;
    while (pieces-- > 0) AppendPiece(text);
    return text;
  }

  std::size_t Below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }

 private:
  void AppendPiece(std::string& text) {
    static constexpr std::array<std::string_view, 9> kCharacters = {
        "\x7f",   "\u0080", "\u07ff",     "\u0800",    "\ud7ff",
        "\ue000", "\uffff", "\U00010000", "\U0010ffff"};
    static constexpr std::string_view kEdges =
        "\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xec\xed\xee\xef\xf0\xf1\xf3\xf4\xf5\xff";
    switch (Below(5)) {
      case 0:
        text.append(Below(20), 'a');
        break;
      case 1:
        text += kCharacters[Below(kCharacters.size())];
        break;
      case 2: {
        const std::string_view character = kCharacters[Below(kCharacters.size())];
        text += character.substr(0, Below(character.size() + 1));
        break;
      }
      case 3:
        text += kEdges[Below(kEdges.size())];
        break;
      default:
        text += static_cast<char>(Below(256));
    }
  }

  std::mt19937 random_;
};

TEST(MeasureUtf8Test, CountsUtf16CodeUnits) {
  EXPECT_EQ(Measure("", kAll).units, 0U);
  EXPECT_EQ(Measure("plain", kAll).units, 5U);
  EXPECT_EQ(Measure("é", kAll).units, 1U);
  EXPECT_EQ(Measure("漢", kAll).units, 1U);
  EXPECT_EQ(Measure("😀", kAll).units, 2U);
  const TextMeasure measure = Measure("é漢😀", kAll);
  EXPECT_EQ(measure.bytes, 9U);
  EXPECT_EQ(measure.units, 4U);
}

TEST(MeasureUtf8Test, CountsEachMaximalSubpartOfAnInvalidSequenceOnce) {
  // The examples of the Unicode Standard, tables 3-8 to 3-11.
  const auto units = [](std::string_view text) { return Measure(text, kAll).units; };
  EXPECT_EQ(units("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41"), 9U);
  EXPECT_EQ(units("\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41"), 9U) << "surrogates are no characters";
  EXPECT_EQ(units("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42"), 9U);
  EXPECT_EQ(units("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41"), 5U);
}

TEST(MeasureUtf8Test, LeavesASequenceThatMayStillBeCompleted) {
  const std::string_view grin = "a\xf0\x9f\x98\x80";
  for (std::size_t length = 1; length < grin.size(); ++length) {
    const TextMeasure measure = Measure(grin.substr(0, length), kAll);
    EXPECT_EQ(measure.bytes, 1U) << length;
    EXPECT_EQ(measure.units, 1U) << length;
  }
  EXPECT_EQ(Measure("a\xf0\x9f\x98z", kAll).units, 3U) << "it was not";
}

TEST(MeasureUtf8Test, StopsAtTheCodeUnitAskedForButNeverWithinAPair) {
  EXPECT_EQ(Measure("abc", 0).bytes, 0U);
  EXPECT_EQ(Measure("abc", 2).bytes, 2U);
  EXPECT_EQ(Measure("漢漢漢", 2).bytes, 6U);
  EXPECT_EQ(Measure("😀😀", 2).bytes, 4U);
  const TextMeasure odd = Measure("😀😀", 3);
  EXPECT_EQ(odd.bytes, 8U);
  EXPECT_EQ(odd.units, 4U);
}

TEST(MeasureUtf8Test, FindsWhatIsNotAsciiAtEveryPlaceOfABlock) {
  for (std::size_t length = 1; length < 40; ++length) {
    for (std::size_t place = 0; place < length; ++place) {
      std::string text(length, 'x');
      text.replace(place, 1, "é");
      const TextMeasure measure = Measure(text, kAll);
      ASSERT_EQ(measure.bytes, length + 1) << place << " of " << length;
      ASSERT_EQ(measure.units, length) << place << " of " << length;
      ASSERT_EQ(Measure(text, place + 1).bytes, place + 2) << place << " of " << length;
    }
  }
}

TEST(MeasureUtf8Test, AgreesWithTheReferenceDecoderOnAnyBytes) {
  Utf8Noise noise(1);
  for (int round = 0; round < 200'000; ++round) {
    const std::string text = noise.Next(1 + noise.Below(8));
    const Utf8Reference reference(text);
    const TextMeasure measure = Measure(text, kAll);
    ASSERT_EQ(measure.units, reference.text().size()) << testing::PrintToString(text);
    ASSERT_EQ(measure.bytes, text.size() - reference.pending()) << testing::PrintToString(text);
    ASSERT_EQ(measure.ascii, std::ranges::all_of(
                                 text.substr(0, measure.bytes),
                                 [](char byte) { return static_cast<unsigned char>(byte) < 0x80; }))
        << testing::PrintToString(text);
  }
}

TEST(MeasureUtf8Test, TakesNoByteMoreThanTheUnitsNeed) {
  Utf8Noise noise(2);
  for (int round = 0; round < 50'000; ++round) {
    const std::string text = noise.Next(1 + noise.Below(6));
    const std::size_t units = noise.Below(30);
    const TextMeasure measure = Measure(text, units);
    const Utf8Reference taken(text.substr(0, measure.bytes));
    if (measure.units < units) continue;  // the text ended
    // The last sequence may have been cut short by the byte behind it, which is not part of it.
    ASSERT_EQ(measure.units, taken.text().size() + (taken.pending() > 0 ? 1 : 0));
    ASSERT_LE(measure.units, units + 1);
    if (measure.bytes == 0) continue;
    const Utf8Reference shorter(text.substr(0, measure.bytes - 1));
    ASSERT_LT(shorter.text().size(), units) << testing::PrintToString(text);
  }
}

TEST(MeasureUtf8Test, GoesOnWhereItStoppedAsIfTheTextHadComeAtOnce) {
  Utf8Noise noise(3);
  for (int round = 0; round < 50'000; ++round) {
    const std::string text = noise.Next(1 + noise.Below(12));
    const std::size_t units = noise.Below(2) == 0 ? kAll : noise.Below(60);
    TextMeasure measure;
    for (std::size_t length = 0; length < text.size();) {
      length = std::min(text.size(), length + 1 + noise.Below(5));
      const TextMeasure next = Measure(std::string_view(text).substr(0, length), units, measure);
      ASSERT_GE(next.bytes, measure.bytes);
      measure = next;
    }
    const TextMeasure whole = Measure(text, units);
    ASSERT_EQ(measure.bytes, whole.bytes) << testing::PrintToString(text);
    ASSERT_EQ(measure.units, whole.units) << testing::PrintToString(text);
    ASSERT_EQ(measure.ascii, whole.ascii) << testing::PrintToString(text);
  }
}

}  // namespace
}  // namespace protocol
