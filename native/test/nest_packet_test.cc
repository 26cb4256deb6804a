#include "protocol/nest_packet.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace {

using protocol::NestPacketParts;
using protocol::PatternTable;

std::optional<NestPacketParts> Scan(std::string_view text) {
  return protocol::ScanNestPacket(std::as_bytes(std::span(text.data(), text.size())));
}

TEST(NestPacketTest, FindsThePartsOfWhatNestsClientsWrite) {
  const std::string text = R"({"pattern":{"cmd":"sum"},"data":[1,2],"id":"a1-_Z"})";
  const auto parts = Scan(text);
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->pattern, R"({"cmd":"sum"})");
  EXPECT_EQ(text.substr(parts->data_offset, 5), "[1,2]");
  EXPECT_EQ(parts->id_length, 5U);
}

TEST(NestPacketTest, TakesStringsAndNestedObjectsAsPatterns) {
  EXPECT_EQ(Scan(R"({"pattern":"sum","data":1,"id":"1"})")->pattern, R"("sum")");
  EXPECT_EQ(Scan(R"({"pattern":{"a":{"b":"}"}},"data":1,"id":"1"})")->pattern,
            R"({"a":{"b":"}"}})");
  EXPECT_EQ(Scan(R"({"pattern":"a,\"data\":","data":1,"id":"1"})"), std::nullopt) << "escapes";
}

TEST(NestPacketTest, TheIdIsTheLastKeyOfTheText) {
  const std::string text = R"({"pattern":"p","data":"x,\"id\":\"y\"","id":"z"})";
  const auto parts = Scan(text);
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->id_length, 1U);
  EXPECT_EQ(text.substr(parts->data_offset), R"("x,\"id\":\"y\"","id":"z"})");
}

TEST(NestPacketTest, LeavesEverythingElseToTheParser) {
  for (const std::string_view text : {
           R"()",
           R"({})",
           R"({"pattern":)",
           R"({"pattern":"p"})",
           R"({"pattern":"p","data":1})",              // an event
           R"({"pattern":"p","data":1,"id":1})",       // an id that is no string
           R"({"pattern":"p","data":1,"id":""})",      // an empty one
           R"({"pattern":"p","data":1,"id":"a\"b"})",  // one with an escape
           R"({"pattern":"p","data":1,"id":"a b"})",   // or a blank
           R"({"pattern":"p","data":1,"x":"a"})",      // another last key
           R"({"pattern":"p","data":1,"id":"a","x":"b"})",
           R"({"pattern":"p","data":,"id":"a")",       // no end
           R"({"pattern":"p" ,"data":1,"id":"a"})",    // blanks
           R"({"pattern":["p"],"data":1,"id":"a"})",   // an array
           R"({"pattern":12,"data":1,"id":"a"})",      // a number
           R"({"pattern":{"a":1,"data":1,"id":"a"})",  // no end of the pattern
           R"({"data":1,"pattern":"p","id":"a"})",     // another order
           R"({"pattern":"p","id":"a"})",              // no data
           R"({"pattern":"p","data":"id":"a"})",
       }) {
    EXPECT_EQ(Scan(text), std::nullopt) << text;
  }
}

TEST(NestPacketTest, LongPatternsAndIdsAreLeftToTheParserToo) {
  const auto packet = [](std::size_t pattern, std::size_t id) {
    return R"({"pattern":")" + std::string(pattern, 'p') + R"(","data":1,"id":")" +
           std::string(id, 'i') + R"("})";
  };
  EXPECT_TRUE(Scan(packet(254, 64)));
  EXPECT_FALSE(Scan(packet(255, 64)));
  EXPECT_FALSE(Scan(packet(254, 65)));
}

TEST(PatternTableTest, NumbersPatternsAsTheyComeUpToABound) {
  PatternTable table;
  EXPECT_EQ(table.NumberOf("a"), 1U);
  EXPECT_EQ(table.NumberOf("b"), 2U);
  EXPECT_EQ(table.NumberOf("a"), 1U);
  for (std::size_t i = 2; i < PatternTable::kMaxInvented; ++i) {
    EXPECT_EQ(table.NumberOf(std::to_string(i)), i + 1);
  }
  EXPECT_EQ(table.NumberOf("one more"), 0U);
  EXPECT_EQ(table.NumberOf("b"), 2U) << "what is known stays known";
}

TEST(PatternTableTest, M5_PatternsThatPeersInventTakeNoNumberFromThoseThatAreHandled) {
  PatternTable table;
  table.Know("handled");
  table.Know("handled");
  table.Know("handled, too");
  for (std::size_t i = 0; i < PatternTable::kMaxInvented; ++i) {
    EXPECT_EQ(table.NumberOf(std::to_string(i)), i + 3);
  }
  EXPECT_EQ(table.NumberOf("one more"), 0U);
  EXPECT_EQ(table.NumberOf("handled"), 1U);
  EXPECT_EQ(table.NumberOf("handled, too"), 2U);
}

}  // namespace
