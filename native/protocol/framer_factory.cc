#include "protocol/framer_factory.h"

#include <stdexcept>

#include "protocol/nest_tcp_framer.h"
#include "protocol/raw_framer.h"

namespace protocol {
namespace {

void Require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

std::unique_ptr<const Framer> MakeDelimited(const FramingOptions& options, FrameContent content) {
  const std::size_t length = options.delimiter.bytes.size();
  Require(length > 0 && length <= DelimiterOptions::kMaxLength,
          "framing: a delimiter has 1 to 16 bytes");
  return std::make_unique<DelimitedFramer>(options.delimiter, options.max_frame_length, content);
}

std::unique_ptr<const Framer> MakeLengthField(const FramingOptions& options, FrameContent content) {
  const LengthFieldOptions& field = options.length_field;
  Require(field.size <= 4 || field.size == 8,
          "framing: a length has 1, 2, 3, 4 or 8 bytes or is a varint");
  Require(field.offset <= LengthFieldOptions::kMaxOffset &&
              field.strip <= LengthFieldOptions::kMaxOffset,
          "framing: offset and strip are up to 65535 bytes");
  Require(field.adjustment >= -LengthFieldOptions::kMaxAdjustment &&
              field.adjustment <= LengthFieldOptions::kMaxAdjustment,
          "framing: an adjustment is less than 2 GiB");
  return std::make_unique<LengthFieldFramer>(field, options.max_frame_length, content);
}

}  // namespace

std::unique_ptr<const Framer> MakeFramer(const FramingOptions& options) {
  const FrameContent content = options.text ? FrameContent::kText : FrameContent::kBytes;
  switch (options.kind) {
    case FramingKind::kRaw:
      return std::make_unique<RawFramer>();
    case FramingKind::kNestTcp:
      return std::make_unique<NestTcpFramer>(options.max_frame_length);
    case FramingKind::kDelimited:
      return MakeDelimited(options, content);
    case FramingKind::kLengthField:
      return MakeLengthField(options, content);
  }
  throw std::invalid_argument("framing: there is no such kind");
}

}  // namespace protocol
