// Frames with a length field: however the stream is split, the frames and the end are those of a
// reader that looks at all of it at once and has longer numbers.
//
//   input: the limit, a seed for the splits, seven bytes for the options, stream
#include "protocol/length_field_framer.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fuzz/framer_split.h"
#include "fuzz/require.h"
#include "test/support/length_field_reference.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kHeader = 9;
  if (size < kHeader) return 0;
  const std::size_t limit = data[0];
  std::size_t next = 2;
  const auto options = test::PickLengthField([&] { return data[next++]; });
  const std::string_view stream(reinterpret_cast<const char*>(data) + kHeader, size - kHeader);
  const protocol::LengthFieldFramer framer(options, limit, protocol::FrameContent::kBytes);
  const test::FrameReader reader = fuzz::ReadWholeAndSplit(framer, stream, data[1]);
  const test::LengthFieldReference reference(stream, options, limit);
  fuzz::Require(reader.payloads() == reference.frames, "the frames there are");
  fuzz::Require(reader.invalid() == reference.refused, "refused, or not");
  if (!reader.invalid()) fuzz::Require(reader.kept() == reference.rest, "the rest is kept");
  return 0;
}
