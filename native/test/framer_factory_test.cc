#include "protocol/framer_factory.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace protocol {
namespace {

TEST(FramerFactoryTest, MakesAFramerOfEachKindThatKnowsWhatItsFramesAre) {
  EXPECT_EQ(MakeFramer({})->content(), FrameContent::kChunks);
  EXPECT_EQ(MakeFramer({.kind = FramingKind::kNestTcp})->content(), FrameContent::kPackets);
  for (const FramingKind kind : {FramingKind::kDelimited, FramingKind::kLengthField}) {
    EXPECT_EQ(MakeFramer({.kind = kind})->content(), FrameContent::kBytes);
    EXPECT_EQ(MakeFramer({.kind = kind, .text = true})->content(), FrameContent::kText);
  }
}

TEST(FramerFactoryTest, RefusesWhatIsOutOfRange) {
  const auto refuses = [](const FramingOptions& options) {
    EXPECT_THROW(MakeFramer(options), std::invalid_argument);
  };
  refuses({.kind = static_cast<FramingKind>(9)});
  refuses({.kind = FramingKind::kDelimited, .delimiter = {.bytes = ""}});
  refuses({.kind = FramingKind::kDelimited, .delimiter = {.bytes = std::string(17, 'x')}});
  refuses({.kind = FramingKind::kLengthField, .length_field = {.size = 5}});
  refuses({.kind = FramingKind::kLengthField, .length_field = {.size = 9}});
  refuses({.kind = FramingKind::kLengthField, .length_field = {.offset = 0x10000}});
  refuses({.kind = FramingKind::kLengthField, .length_field = {.adjustment = -0x80000000LL}});
  refuses({.kind = FramingKind::kLengthField, .length_field = {.strip = 0x10000}});
}

}  // namespace
}  // namespace protocol
