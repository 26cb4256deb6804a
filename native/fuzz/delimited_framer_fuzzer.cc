// Lines and other delimited frames: however the stream is split, the frames and the end are those
// of a splitter that looks at all of it at once.
//
//   input: the limit, a seed for the splits, flags and length of the delimiter, delimiter, stream
#include "protocol/delimited_framer.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/framer_split.h"
#include "fuzz/require.h"
#include "test/support/delimited_reference.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (size < 4) return 0;
  const std::size_t limit = data[0];
  const std::size_t length = 1 + data[2] % 4;
  if (size < 3 + length) return 0;
  const protocol::DelimiterOptions delimiter{.bytes = std::string(input.substr(3, length)),
                                             .strip_carriage_return = (data[2] & 0x80) != 0};
  const std::string_view stream = input.substr(3 + length);
  const protocol::DelimitedFramer framer(delimiter, limit, protocol::FrameContent::kBytes);
  const test::FrameReader reader = fuzz::ReadWholeAndSplit(framer, stream, data[1]);
  const test::DelimitedReference reference(stream, delimiter, limit);
  fuzz::Require(reader.payloads() == reference.frames, "the frames there are");
  fuzz::Require(reader.invalid() == reference.too_long, "refused for its length, or not");
  if (!reader.invalid()) fuzz::Require(reader.kept() == reference.rest, "the rest is kept");
  return 0;
}
