// Against a reader that is slow and plain, over every kind of split.
#include "protocol/length_field_framer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "test/support/frame_reader.h"
#include "test/support/length_field_reference.h"

namespace protocol {
namespace {

using std::string_literals::operator""s;

struct LengthFieldCase {
  const char* name;
  LengthFieldOptions options;
  std::string stream;
  std::vector<std::string> frames;
  bool refused = false;
};

constexpr std::size_t kLengthFieldLimit = 12;
const LengthFieldOptions kTwo{.size = 2};
const LengthFieldOptions kKept{.size = 2, .strip = 0, .strip_header = false};
const LengthFieldOptions kVarint{.size = LengthFieldOptions::kVarint};

const std::vector<LengthFieldCase> kLengthFieldCases = {
    {"one byte", {.size = 1}, "\3abc\1x"s, {"abc", "x"}},
    {"two", kTwo, "\0\3abc\0\1x"s, {"abc", "x"}},
    {"three", {.size = 3}, "\0\0\3abc"s, {"abc"}},
    {"four", {.size = 4}, "\0\0\0\3abc"s, {"abc"}},
    {"eight", {.size = 8}, "\0\0\0\0\0\0\0\3abc"s, {"abc"}},
    {"little endian", {.size = 3, .little_endian = true}, "\3\0\0abc"s, {"abc"}},
    {"eight, little endian", {.size = 8, .little_endian = true}, "\3\0\0\0\0\0\0\0abc"s, {"abc"}},
    {"empty frames", kTwo, "\0\0\0\0\0\1x\0\0"s, {"", "", "x", ""}},
    {"the rest waits", kTwo, "\0\1x\0\3ab"s, {"x"}},
    {"half a length waits", kTwo, "\0\1x\0"s, {"x"}},
    {"header kept", kKept, "\0\3abc"s, {"\0\3abc"s}},
    {"length of it all",
     {.size = 2, .includes_header = true, .strip = 0, .strip_header = false},
     "\0\5abc"s,
     {"\0\5abc"s}},
    {"length of it all, by an adjustment", {.size = 2, .adjustment = -2}, "\0\5abc"s, {"abc"}},
    {"after an offset",
     {.size = 2, .offset = 3, .strip = 0, .strip_header = false},
     "HDR\0\3abc"s,
     {"HDR\0\3abc"s}},
    {"after an offset, stripped", {.size = 2, .offset = 3}, "HDR\0\3abc"s, {"abc"}},
    {"more header behind the length",
     {.size = 2, .adjustment = 2, .strip = 0, .strip_header = false},
     "\0\3XYabc"s,
     {"\0\3XYabc"s}},
    {"an offset, a length of it all, a part stripped",
     {.size = 2,
      .offset = 1,
      .adjustment = 0,
      .includes_header = true,
      .strip = 3,
      .strip_header = false},
     "A\0\6xyz"s,
     {"xyz"}},
    {"more stripped than the header",
     {.size = 1, .strip = 3, .strip_header = false},
     "\4abcd"s,
     {"cd"}},
    {"as long as may be", kTwo, "\0\14aaaaaaaaaaaa"s, {"aaaaaaaaaaaa"}},
    {"one too long", kTwo, "\0\15aaaaaaaaaaaaa"s, {}, true},
    {"too long after its adjustment", {.size = 1, .adjustment = 1}, "\14a"s, {}, true},
    {"not too long after its adjustment",
     {.size = 1, .adjustment = -1},
     "\15aaaaaaaaaaaa"s,
     {"aaaaaaaaaaaa"}},
    {"all ones in eight bytes", {.size = 8}, "\xff\xff\xff\xff\xff\xff\xff\xff"s, {}, true},
    {"the greatest signed in eight bytes",
     {.size = 8},
     "\x7f\xff\xff\xff\xff\xff\xff\xff"s,
     {},
     true},
    {"a length of 2^32 is not 0", {.size = 8}, "\0\0\0\1\0\0\0\0"s, {}, true},
    {"all ones, with an adjustment",
     {.size = 8, .adjustment = 100},
     "\xff\xff\xff\xff\xff\xff\xff\xff"s,
     {},
     true},
    {"all ones in four bytes", {.size = 4}, "\xff\xff\xff\xff"s, {}, true},
    {"ends within its header", {.size = 2, .includes_header = true}, "\0\1"s, {}, true},
    {"an adjustment below the header", {.size = 2, .adjustment = -4}, "\0\3abc"s, {}, true},
    {"ends where its header does", {.size = 2, .includes_header = true}, "\0\2\0\2"s, {"", ""}},
    {"ends within what is stripped",
     {.size = 1, .strip = 3, .strip_header = false},
     "\1a"s,
     {},
     true},
    {"varint", kVarint, "\3abc\0\1x"s, {"abc", "", "x"}},
    {"varint of two bytes", {.size = 0, .adjustment = -126}, "\x80\1ab"s, {"ab"}},
    {"overlong varint", kVarint, "\x83\0abc"s, {}, true},
    {"overlong zero", kVarint, "\x80\0"s, {}, true},
    {"varint of five bytes", kVarint, "\xff\xff\xff\xff\x0f"s, {}, true},
    {"varint of six bytes", kVarint, "\x80\x80\x80\x80\x80\x01"s, {}, true},
    {"a varint that is not complete", kVarint, "\x80\x80"s, {}},
    {"varint after an offset",
     {.size = 0, .offset = 2, .strip = 0, .strip_header = false},
     "AB\1x"s,
     {"AB\1x"}},
    {"varint of it all", {.size = 0, .includes_header = true}, "\4abc\1"s, {"abc", ""}},
};

TEST(LengthFieldFramerTest, R1_FindsTheFramesOfATableInOnePieceAndByteByByte) {
  for (const LengthFieldCase& c : kLengthFieldCases) {
    const LengthFieldFramer framer(c.options, kLengthFieldLimit, FrameContent::kBytes);
    test::FrameReader whole(framer);
    whole.Feed(c.stream);
    EXPECT_EQ(whole.payloads(), c.frames) << c.name;
    EXPECT_EQ(whole.invalid(), c.refused) << c.name;
    test::FrameReader single(framer);
    for (const char byte : c.stream) single.Feed({&byte, 1});
    EXPECT_EQ(single.payloads(), c.frames) << c.name << ", byte by byte";
    EXPECT_EQ(single.invalid(), c.refused) << c.name << ", byte by byte";
  }
}

TEST(LengthFieldFramerTest, R1_AgreesWithASlowReaderOnRandomStreamsAndSplits) {
  std::mt19937 random(20'261'127);
  for (int round = 0; round < 20'000; ++round) {
    const LengthFieldOptions options = test::PickLengthField([&] { return random(); });
    const std::size_t limit = random() % 300;
    std::string stream;
    // Mostly small numbers, so that lengths make sense.
    for (std::size_t i = random() % 80; i > 0; --i) {
      stream += static_cast<char>(random() % 8 == 0 ? random() : random() % 6);
    }
    const test::LengthFieldReference reference(stream, options, limit);
    const LengthFieldFramer framer(options, limit, FrameContent::kBytes);
    test::FrameReader reader(framer);
    for (std::string_view rest = stream; !rest.empty();) {
      const std::size_t size = std::min<std::size_t>(rest.size(), 1 + random() % 7);
      reader.Feed(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    ASSERT_EQ(reader.payloads(), reference.frames) << "round " << round;
    ASSERT_EQ(reader.invalid(), reference.refused) << "round " << round;
  }
}

TEST(LengthFieldFramerTest, R2_SaysHowManyBytesAFrameWantsAsSoonAsItsHeaderIsThere) {
  const LengthFieldFramer framer({.size = 4}, 1'000'000, FrameContent::kBytes);
  FrameState state;
  EXPECT_EQ(framer.Next(test::BytesOf("\0"s), state).wanted, 4U);
  EXPECT_EQ(framer.Next(test::BytesOf("\0\0\1\0x"s), state).wanted, 260U);
  const LengthFieldFramer varint(kVarint, 1'000'000, FrameContent::kBytes);
  EXPECT_EQ(varint.Next(test::BytesOf("\x80"s), state).wanted, 2U);
  EXPECT_EQ(varint.Next(test::BytesOf("\x80\2"s), state).wanted, 258U);
}

TEST(LengthFieldFramerTest, R3_AFrameTooLongIsKnownByItsHeaderAlone) {
  const LengthFieldFramer framer({.size = 4}, 100, FrameContent::kBytes);
  FrameState state;
  const FrameResult result = framer.Next(test::BytesOf("\0\0\0\x65"s), state);
  EXPECT_EQ(result.status, FrameResult::Status::kTooLong);
  EXPECT_EQ(result.payload_length, 101U);
}

TEST(LengthFieldFramerTest, TellsOfTextWhetherItIsAscii) {
  const LengthFieldFramer framer({.size = 1}, 100, FrameContent::kText);
  test::FrameReader reader(framer);
  reader.Feed("\3abc\2\xc3\xa4"s);
  ASSERT_EQ(reader.frames().size(), 2U);
  EXPECT_TRUE(reader.frames()[0].ascii);
  EXPECT_FALSE(reader.frames()[1].ascii);
}

}  // namespace
}  // namespace protocol
