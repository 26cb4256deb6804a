#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/delimited_framer.h"

namespace test {

/// What a stream of delimited frames holds, found out in one look at all of it.
struct DelimitedReference {
  std::vector<std::string> frames;
  std::size_t rest = 0;   // bytes of the frame that has not ended
  bool too_long = false;  // a frame is, or is going to be

  DelimitedReference(std::string_view stream, const protocol::DelimiterOptions& delimiter,
                     std::size_t limit) {
    for (std::size_t end = 0; (end = stream.find(delimiter.bytes)) != std::string_view::npos;) {
      std::string_view frame = stream.substr(0, end);
      if (delimiter.strip_carriage_return && frame.ends_with('\r')) frame.remove_suffix(1);
      too_long = frame.size() > limit;
      if (too_long) return;
      frames.emplace_back(frame);
      stream.remove_prefix(end + delimiter.bytes.size());
    }
    rest = stream.size();
    const std::size_t carriage_return = delimiter.strip_carriage_return ? 1 : 0;
    too_long = rest > limit + carriage_return + delimiter.bytes.size() - 1;
  }
};

}  // namespace test
