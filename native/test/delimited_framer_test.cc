// Against a splitter that is slow and plain, over every kind of split.
#include "protocol/delimited_framer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "test/support/delimited_reference.h"
#include "test/support/frame_reader.h"

namespace protocol {
namespace {

struct DelimitedCase {
  const char* name;
  DelimiterOptions delimiter;
  std::string_view stream;
  std::vector<std::string> frames;
  bool too_long = false;
};

constexpr std::size_t kDelimitedLimit = 4;
const DelimiterOptions kLine{.bytes = "\n", .strip_carriage_return = true};
const DelimiterOptions kCrLf{.bytes = "\r\n"};

const std::vector<DelimitedCase> kDelimitedCases = {
    {"two lines", kLine, "ab\ncd\n", {"ab", "cd"}},
    {"the rest waits", kLine, "ab\ncd", {"ab"}},
    {"CR LF", kLine, "ab\r\ncd\r\n", {"ab", "cd"}},
    {"mixed", kLine, "ab\r\ncd\nef\r\n", {"ab", "cd", "ef"}},
    {"empty lines", kLine, "\n\r\n\n", {"", "", ""}},
    {"only the last CR goes", kLine, "a\r\r\n", {"a\r"}},
    {"a CR within", kLine, "a\rb\n", {"a\rb"}},
    {"CR kept where it is not asked for", {.bytes = "\n"}, "ab\r\n", {"ab\r"}},
    {"as long as may be", kLine, "abcd\nabcd\r\n", {"abcd", "abcd"}},
    {"one too long", kLine, "abcde\n", {}, true},
    {"one too long, with CR", kLine, "ab\nabcde\r\n", {"ab"}, true},
    {"too long without an end", kLine, "abcdef", {}, true},
    {"five bytes may still end with CR LF", kLine, "abcd\r", {}},
    {"CR LF as delimiter", kCrLf, "ab\r\n\r\ncd\r\n", {"ab", "", "cd"}},
    {"LF alone is content of CR LF", kCrLf, "a\nb\r\n", {"a\nb"}},
    {"CR CR LF", kCrLf, "a\r\r\n", {"a\r"}},
    {"begin of a delimiter at the limit", kCrLf, "abcd\r", {}},
    {"none at the limit", kCrLf, "abcd\rx", {}, true},
    {"begins again within itself", {.bytes = "aab"}, "aaab", {"a"}},
    {"a NUL", {.bytes = std::string("\0", 1)}, std::string_view("a\0\0b\0", 5), {"a", "", "b"}},
    {"sixteen bytes",
     {.bytes = "0123456789abcdef"},
     "x0123456789abcdefy0123456789abcdef0123456789abcde",
     {"x", "y"}},
};

TEST(DelimitedFramerTest, R1_FindsTheFramesOfATableInOnePieceAndByteByByte) {
  for (const DelimitedCase& c : kDelimitedCases) {
    const DelimitedFramer framer(c.delimiter, kDelimitedLimit, FrameContent::kBytes);
    test::FrameReader whole(framer);
    whole.Feed(c.stream);
    EXPECT_EQ(whole.payloads(), c.frames) << c.name;
    EXPECT_EQ(whole.invalid(), c.too_long) << c.name;
    test::FrameReader single(framer);
    for (const char byte : c.stream) single.Feed({&byte, 1});
    EXPECT_EQ(single.payloads(), c.frames) << c.name << ", byte by byte";
    EXPECT_EQ(single.invalid(), c.too_long) << c.name << ", byte by byte";
  }
}

TEST(DelimitedFramerTest, R1_AgreesWithASlowSplitterOnRandomStreamsAndSplits) {
  const std::vector<DelimiterOptions> delimiters{
      kLine, kCrLf, {.bytes = "\n"}, {.bytes = "aab"}, {.bytes = "abab"}};
  std::mt19937 random(20'261'127);
  for (int round = 0; round < 4000; ++round) {
    const DelimiterOptions& delimiter = delimiters[static_cast<std::size_t>(round) % 5];
    const std::size_t limit = random() % 12;
    std::string stream;
    for (std::size_t i = random() % 60; i > 0; --i) stream += "ab\r\n"[random() % 4];
    const test::DelimitedReference reference(stream, delimiter, limit);
    const DelimitedFramer framer(delimiter, limit, FrameContent::kBytes);
    test::FrameReader reader(framer);
    for (std::string_view rest = stream; !rest.empty();) {
      const std::size_t size = std::min<std::size_t>(rest.size(), 1 + random() % 7);
      reader.Feed(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    ASSERT_EQ(reader.payloads(), reference.frames) << "round " << round;
    ASSERT_EQ(reader.invalid(), reference.too_long) << "round " << round;
    if (!reference.too_long) {
      ASSERT_EQ(reader.kept(), reference.rest) << "round " << round;
    }
  }
}

TEST(DelimitedFramerTest, R2_LooksAtNoByteTwice) {
  const DelimitedFramer framer(kCrLf, 1000, FrameContent::kBytes);
  FrameState state;
  EXPECT_EQ(framer.Next(test::BytesOf("abcdef"), state).status, FrameResult::Status::kIncomplete);
  EXPECT_EQ(state.scanned, 5U) << "a delimiter may have begun with the last byte";
  // Had it looked at the first bytes again, it would see the delimiter that is there now.
  const FrameResult result = framer.Next(test::BytesOf("\r\ncdef\r\n"), state);
  EXPECT_EQ(result.payload_length, 6U);
}

TEST(DelimitedFramerTest, R2_GivesTheSameFrameAgainWhenThereWasNoRoomForIt) {
  const DelimitedFramer framer(kLine, 1000, FrameContent::kText);
  FrameState state;
  for (int i = 0; i < 3; ++i) {
    const FrameResult result = framer.Next(test::BytesOf("abc\r\nd"), state);
    EXPECT_EQ(result.status, FrameResult::Status::kFrame);
    EXPECT_EQ(result.consumed, 5U);
    EXPECT_EQ(result.payload_length, 3U);
  }
}

TEST(DelimitedFramerTest, R3_SaysHowLongAFrameIsAtLeastThatIsTooLong) {
  const DelimitedFramer framer(kLine, 10, FrameContent::kBytes);
  FrameState state;
  const FrameResult open = framer.Next(test::BytesOf(std::string(12, 'x')), state);
  EXPECT_EQ(open.status, FrameResult::Status::kTooLong);
  EXPECT_EQ(open.payload_length, 11U);
  state = {};
  const FrameResult ended = framer.Next(test::BytesOf(std::string(20, 'x') + "\r\n"), state);
  EXPECT_EQ(ended.status, FrameResult::Status::kTooLong);
  EXPECT_EQ(ended.payload_length, 20U);
}

TEST(DelimitedFramerTest, TellsOfTextWhetherItIsAscii) {
  for (const FrameContent content : {FrameContent::kText, FrameContent::kBytes}) {
    const DelimitedFramer framer(kLine, 1000, content);
    test::FrameReader reader(framer);
    reader.Feed("plain text of some length\nna\xc3\xafve\n\n");
    ASSERT_EQ(reader.frames().size(), 3U);
    EXPECT_EQ(reader.frames()[0].ascii, content == FrameContent::kText);
    EXPECT_FALSE(reader.frames()[1].ascii);
    EXPECT_EQ(reader.frames()[2].ascii, content == FrameContent::kText);
  }
}

}  // namespace
}  // namespace protocol
