// A stream of Nest's TCP format: however it is split, the frames and the end are those of the
// whole, and what the framer says of a frame is what a slow decoder says.
//
//   input: the limit, a seed for the splits, the stream
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/framer_split.h"
#include "fuzz/require.h"
#include "protocol/nest_tcp_framer.h"
#include "test/support/frame_reader.h"
#include "test/support/utf8_reference.h"

namespace {

using fuzz::Require;

void SkipWhiteSpace(std::string_view& stream) {
  stream.remove_prefix(std::min(stream.find_first_not_of(" \t\r\n"), stream.size()));
}

/// The frame lies at the start of the stream and is as long as its length says. Takes it off.
void TakeFrame(std::string_view& stream, const test::Frame& frame, std::size_t limit) {
  SkipWhiteSpace(stream);
  const std::size_t digits = stream.find('#');
  Require(digits != std::string_view::npos, "a length");
  test::Utf8Reference decoded(frame.payload);
  decoded.Finish();
  Require(std::stoul(std::string(stream.substr(0, digits))) == decoded.text().size(),
          "as long as its length says");
  stream.remove_prefix(digits + 1);
  Require(stream.starts_with(frame.payload), "the text of the stream");
  stream.remove_prefix(frame.payload.size());
  Require(frame.payload.size() <= limit, "within the limit");
  Require(frame.ascii ==
              std::ranges::all_of(
                  frame.payload, [](char byte) { return static_cast<unsigned char>(byte) < 0x80; }),
          "ASCII is known");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t limit = data[0];
  const std::string_view stream(reinterpret_cast<const char*>(data) + 2, size - 2);
  const protocol::NestTcpFramer framer(limit);

  const test::FrameReader whole = fuzz::ReadWholeAndSplit(framer, stream, data[1]);
  std::string_view rest = stream;
  for (const test::Frame& frame : whole.frames()) TakeFrame(rest, frame, limit);
  if (!whole.invalid()) {
    SkipWhiteSpace(rest);
    Require(whole.kept() == rest.size(), "the rest is kept");
    Require(rest.size() <= limit + 14,
            "not kept for long");  // a length, and a character that is not complete
  }
  return 0;
}
