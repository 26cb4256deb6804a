#include "protocol/nest_tcp_framer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "test/support/frame_reader.h"
#include "test/support/utf8_reference.h"

namespace protocol {
namespace {

using test::Frame;
using test::FrameReader;
using test::Utf8Reference;

constexpr std::size_t kLimit = 4 * 1024 * 1024;

std::string Framed(std::string_view text) {
  Utf8Reference decoded(text);
  decoded.Finish();
  return std::to_string(decoded.text().size()) + '#' + std::string(text);
}

FrameReader Read(std::string_view stream, std::size_t limit = kLimit) {
  const NestTcpFramer framer(limit);
  FrameReader reader(framer);
  reader.Feed(stream);
  return reader;
}

std::vector<std::string> Payloads(const FrameReader& reader) {
  std::vector<std::string> payloads;
  for (const Frame& frame : reader.frames()) payloads.push_back(frame.payload);
  return payloads;
}

TEST(NestTcpFramerTest, TakesFramesOneBehindTheOther) {
  const FrameReader reader = Read(R"(2#{}4#null1#7)");
  EXPECT_EQ(Payloads(reader), (std::vector<std::string>{"{}", "null", "7"}));
  EXPECT_EQ(reader.kept(), 0U);
}

TEST(NestTcpFramerTest, CountsUtf16CodeUnitsNotBytes) {
  const FrameReader reader = Read("4#é漢😀3#abc");
  EXPECT_EQ(Payloads(reader), (std::vector<std::string>{"é漢😀", "abc"}));
}

TEST(NestTcpFramerTest, R2_TakesAnEmptyFrame) {
  const FrameReader reader = Read("0#2#{}0#");
  EXPECT_EQ(Payloads(reader), (std::vector<std::string>{"", "{}", ""}));
}

TEST(NestTcpFramerTest, TakesLeadingZerosUpToTenDigits) {
  EXPECT_EQ(Payloads(Read("0000000002#{}")), std::vector<std::string>{"{}"});
  EXPECT_EQ(Payloads(Read("00#007#1234567")), (std::vector<std::string>{"", "1234567"}));
  EXPECT_TRUE(Read("00000000002#{}").invalid());
}

TEST(NestTcpFramerTest, R3_RefusesWhatIsNoLengthAndWithinSixteenBytes) {
  for (const std::string_view stream : {
           "100000000000#{}",                    // 10^11
           "9223372036854775808#{}",             // 2^63
           "18446744073709551618#{}",            // 2^64 + 2
           "123456789012345678901234567890#{}",  // thirty digits
           "00000000000000000000000000000000002#{}",
           "-5#{}",
           "NaN#{}",
           "+1#{}",
           "1 #{}",
           "1e9#{}",
           "1.5#{}",
           "0x2#{}",
           "57junk#{}",
           "#{}",
           "##",
           "{}",
           "2\n#{}",
           "\v2#{}",
           "2:{}",
           "\xef\xbb\xbf"
           "2#{}",
           "２#{}",
           "\xff\xff",
           "Infinity#{}",
       }) {
    const NestTcpFramer framer(kLimit);
    FrameReader reader(framer);
    std::size_t fed = 0;
    while (fed < stream.size() && !reader.invalid()) reader.Feed(stream.substr(fed++, 1));
    EXPECT_TRUE(reader.invalid()) << stream;
    EXPECT_LE(fed, 16U) << stream;
    EXPECT_TRUE(reader.frames().empty()) << stream;
    EXPECT_TRUE(Read(stream).invalid()) << stream << ", at once";
  }
  EXPECT_TRUE(Read(std::string_view("\0"
                                    "2#{}",
                                    5))
                  .invalid());
}

TEST(NestTcpFramerTest, N2_SkipsSixteenBytesOfWhiteSpaceInFrontOfALength) {
  EXPECT_EQ(Payloads(Read(" 2#{}\r\n4#null\t \n1#7\n")),
            (std::vector<std::string>{"{}", "null", "7"}));
  const std::string most(16, '\n');
  EXPECT_EQ(Payloads(Read(most + "2#{}" + most + "1#7")), (std::vector<std::string>{"{}", "7"}));
  EXPECT_TRUE(Read(most + "\n2#{}").invalid());
  // Byte by byte as well, and what was skipped is not kept as the beginning of a frame.
  const NestTcpFramer framer(kLimit);
  FrameReader reader(framer);
  for (int i = 0; i < 16; ++i) reader.Feed(" ");
  EXPECT_FALSE(reader.invalid());
  EXPECT_EQ(reader.kept(), 0U);
  reader.Feed(" ");
  EXPECT_TRUE(reader.invalid());
}

TEST(NestTcpFramerTest, WaitsForTheRestOfALengthAndOfAText) {
  for (const std::string_view stream : {"1", "1234567890", "4194304#", "3#ab", "2#\xf0\x9f\x98"}) {
    const FrameReader reader = Read(stream);
    EXPECT_FALSE(reader.invalid()) << stream;
    EXPECT_TRUE(reader.frames().empty()) << stream;
    EXPECT_EQ(reader.kept(), stream.size()) << stream;
  }
}

TEST(NestTcpFramerTest, R3_RefusesALengthAboveTheLimitBeforeAnyOfItsText) {
  EXPECT_EQ(Payloads(Read("10#0123456789", 10)), std::vector<std::string>{"0123456789"});
  EXPECT_FALSE(Read("10#", 10).invalid());
  EXPECT_TRUE(Read("11#", 10).invalid());
  EXPECT_TRUE(Read("9999999999#", 10).invalid());
  EXPECT_TRUE(Read("94371840#", kLimit).invalid()) << "90 MB";
}

TEST(NestTcpFramerTest, R3_RefusesATextAboveTheLimitInBytesOnly) {
  EXPECT_EQ(Payloads(Read("5#ééééé", 10)), std::vector<std::string>{"ééééé"});
  EXPECT_TRUE(Read("6#éééééé", 10).invalid());
  EXPECT_TRUE(Read("10#漢漢漢漢漢漢漢漢漢漢", 10).invalid());
  // What is kept of it stays near the limit, however it arrives.
  const NestTcpFramer framer(1000);
  FrameReader reader(framer);
  reader.Feed("1000#");
  std::size_t most = 0;
  for (int i = 0; i < 3000 && !reader.invalid(); ++i) {
    reader.Feed("é");
    most = std::max(most, reader.kept());
  }
  EXPECT_TRUE(reader.invalid());
  EXPECT_LE(most, 1010U);
}

TEST(NestTcpFramerTest, R3_RefusesALengthThatEndsWithinASurrogatePair) {
  EXPECT_TRUE(Read("1#😀").invalid());
  EXPECT_TRUE(Read("4#abc😀").invalid());
  EXPECT_EQ(Payloads(Read("2#😀5#abc😀")), (std::vector<std::string>{"😀", "abc😀"}));
}

TEST(NestTcpFramerTest, R5_TakesInvalidUtf8AsADecoderShowsIt) {
  // The sequence cut by the end of the text is complete with the digit behind it.
  const FrameReader reader = Read(
      "1#\xff"
      "2#\xed\xa0"
      "3#\xed\xa0\x80"
      "1#\xe6\xbc"
      "2#{}");
  EXPECT_EQ(Payloads(reader),
            (std::vector<std::string>{"\xff", "\xed\xa0", "\xed\xa0\x80", "\xe6\xbc", "{}"}));
}

TEST(NestTcpFramerTest, R5_CallsAsciiOnlyWhatIsAscii) {
  const FrameReader reader = Read(
      "5#plain"
      "4#caf\xc3\xa9"
      "1#\xff"
      "3#\xed\xa0\x80"
      "0#");
  ASSERT_EQ(reader.frames().size(), 5U);
  EXPECT_TRUE(reader.frames()[0].ascii);
  EXPECT_FALSE(reader.frames()[1].ascii);
  EXPECT_FALSE(reader.frames()[2].ascii) << "as many units as bytes, and yet not ASCII";
  EXPECT_FALSE(reader.frames()[3].ascii);
  EXPECT_TRUE(reader.frames()[4].ascii);
}

TEST(NestTcpFramerTest, R5_RemembersAcrossReadsThatATextIsNotAscii) {
  const NestTcpFramer framer(kLimit);
  FrameReader reader(framer);
  reader.Feed("6#\xff\xff\xff\xc3\xa9");  // two units to come
  reader.Feed("a");
  reader.Feed("b");
  ASSERT_EQ(reader.frames().size(), 1U);
  EXPECT_FALSE(reader.frames()[0].ascii);
}

TEST(NestTcpFramerTest, R1_FindsTheSameFramesWhereverTheStreamIsSplit) {
  const std::string stream = "0#" + Framed("é漢😀") + Framed("plain") + Framed("\xf0\x9f\x98") +
                             Framed("\xed\xa0\xbd\xed\xb8\x80") + "007#" + "😀x漢😀ß" +
                             Framed("{}");
  const FrameReader whole = Read(stream);
  ASSERT_EQ(whole.frames().size(), 7U);
  ASSERT_FALSE(whole.invalid());
  const NestTcpFramer framer(kLimit);
  for (std::size_t first = 0; first <= stream.size(); ++first) {
    for (std::size_t second = first; second <= stream.size(); ++second) {
      FrameReader reader(framer);
      reader.Feed(std::string_view(stream).substr(0, first));
      reader.Feed(std::string_view(stream).substr(first, second - first));
      reader.Feed(std::string_view(stream).substr(second));
      ASSERT_EQ(reader.frames(), whole.frames()) << first << ", " << second;
      ASSERT_FALSE(reader.invalid()) << first << ", " << second;
    }
  }
  FrameReader single(framer);
  for (const char& byte : stream) single.Feed({&byte, 1});
  EXPECT_EQ(single.frames(), whole.frames());
}

TEST(NestTcpFramerTest, R1_ComesToTheSameEndHoweverAnyBytesAreSplit) {
  std::mt19937 random(4);
  const auto below = [&random](std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
  };
  static constexpr std::string_view kBytes =
      "0123459#{}a \n\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80\xed\xff";
  const NestTcpFramer framer(12);
  for (int round = 0; round < 100'000; ++round) {
    std::string stream;
    for (std::size_t frame = 1 + below(4); frame > 0; --frame) {
      std::string text;
      for (std::size_t size = below(14); size > 0; --size) text += kBytes[below(kBytes.size())];
      stream += below(8) == 0 ? text : Framed(text);
    }
    FrameReader whole(framer);
    whole.Feed(stream);
    FrameReader split(framer);
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t size = std::min(stream.size() - at, 1 + below(6));
      split.Feed(std::string_view(stream).substr(at, size));
      at += size;
    }
    ASSERT_EQ(split.frames(), whole.frames()) << testing::PrintToString(stream);
    ASSERT_EQ(split.invalid(), whole.invalid()) << testing::PrintToString(stream);
    if (whole.invalid()) continue;
    ASSERT_EQ(split.kept(), whole.kept()) << testing::PrintToString(stream);
  }
}

TEST(NestTcpFramerTest, ScansNoByteOfALongTextTwice) {
  // Three bytes a unit: from a third of its bytes on the text might be complete at any read.
  constexpr std::size_t kUnits = 100'000;
  std::string text;
  for (std::size_t i = 0; i < kUnits; ++i) text += "漢";
  const NestTcpFramer framer(kLimit);
  FrameReader reader(framer);
  reader.Feed(std::to_string(kUnits) + '#');
  const std::size_t header = reader.kept();
  int looks = 0;
  for (std::size_t at = 0; at < text.size(); at += 1000) {
    const std::size_t before = reader.state().scanned;
    reader.Feed(std::string_view(text).substr(at, 1000));
    // It waits for as many bytes as are wanted, then goes on from where it was.
    if (reader.state().scanned == before) continue;
    ++looks;
    if (reader.kept() == 0) continue;
    ASSERT_GT(reader.state().scanned, before);
    ASSERT_GE(reader.state().scanned + 3, reader.kept() - header);
  }
  EXPECT_GT(looks, 3);
  ASSERT_EQ(reader.frames().size(), 1U);
  EXPECT_EQ(reader.frames()[0].payload, text);
  EXPECT_EQ(reader.state().scanned, 0U) << "the next frame begins anew";
}

}  // namespace
}  // namespace protocol
