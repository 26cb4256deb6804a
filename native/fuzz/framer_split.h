#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fuzz/require.h"
#include "test/support/frame_reader.h"

namespace fuzz {

/// The stream in pieces of 1 to 8 bytes, the same ones for the same seed.
inline void FeedInPieces(test::FrameReader& reader, std::string_view stream, std::uint32_t seed) {
  while (!stream.empty()) {
    seed = seed * 1664525U + 1013904223U;
    const std::size_t size = std::min<std::size_t>(stream.size(), 1 + (seed >> 29U));
    reader.Feed(stream.substr(0, size));
    stream.remove_prefix(size);
  }
}

/// However the stream is split, the frames and the end are those of the whole, which this returns.
inline test::FrameReader ReadWholeAndSplit(const protocol::Framer& framer, std::string_view stream,
                                           std::uint32_t seed) {
  test::FrameReader whole(framer);
  whole.Feed(stream);
  test::FrameReader split(framer);
  FeedInPieces(split, stream, seed);
  Require(split.frames() == whole.frames(), "the same frames");
  Require(split.invalid() == whole.invalid(), "the same end");
  if (!whole.invalid()) Require(split.kept() == whole.kept(), "the same rest");
  return whole;
}

}  // namespace fuzz
