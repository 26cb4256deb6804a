// A stream of Nest's TCP format: however it is split, the frames and the end are those of the
// whole, and what the framer says of a frame is what a slow decoder says.
//
//   input: the limit, a seed for the splits, the stream
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/nest_tcp_framer.h"
#include "test/support/frame_reader.h"
#include "test/support/utf8_reference.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

void SkipWhiteSpace(std::string_view& stream) {
  stream.remove_prefix(std::min(stream.find_first_not_of(" \t\r\n"), stream.size()));
}

/// The frame lies at the start of the stream and is as long as its length says. Takes it off.
void TakeFrame(std::string_view& stream, const test::Frame& frame, std::size_t limit) {
  SkipWhiteSpace(stream);
  const std::size_t digits = stream.find('#');
  Require(digits != std::string_view::npos);
  test::Utf8Reference decoded(frame.payload);
  decoded.Finish();
  Require(std::stoul(std::string(stream.substr(0, digits))) == decoded.text().size());
  stream.remove_prefix(digits + 1);
  Require(stream.starts_with(frame.payload));
  stream.remove_prefix(frame.payload.size());
  Require(frame.payload.size() <= limit);
  Require(frame.ascii == std::ranges::all_of(frame.payload, [](char byte) {
            return static_cast<unsigned char>(byte) < 0x80;
          }));
}

/// The stream in pieces of 1 to 8 bytes, the same ones for the same seed.
void FeedInPieces(test::FrameReader& reader, std::string_view stream, std::uint32_t seed) {
  while (!stream.empty()) {
    seed = seed * 1664525U + 1013904223U;
    const std::size_t size = std::min<std::size_t>(stream.size(), 1 + (seed >> 29U));
    reader.Feed(stream.substr(0, size));
    stream.remove_prefix(size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t limit = data[0];
  const std::string_view stream(reinterpret_cast<const char*>(data) + 2, size - 2);
  const protocol::NestTcpFramer framer(limit);

  test::FrameReader whole(framer);
  whole.Feed(stream);
  test::FrameReader split(framer);
  FeedInPieces(split, stream, data[1]);

  Require(split.frames() == whole.frames());
  Require(split.invalid() == whole.invalid());
  std::string_view rest = stream;
  for (const test::Frame& frame : whole.frames()) TakeFrame(rest, frame, limit);
  if (!whole.invalid()) {
    SkipWhiteSpace(rest);
    Require(split.kept() == rest.size() && whole.kept() == rest.size());
    Require(rest.size() <= limit + 14);  // a length, and a character that is not complete
  }
  return 0;
}
