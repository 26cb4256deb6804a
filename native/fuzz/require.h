#pragma once

#include <cstdio>
#include <cstdlib>
#include <source_location>

namespace fuzz {

/// Ends the process where a promise is broken.
inline void Require(bool holds, const char* promise,
                    std::source_location here = std::source_location::current()) {
  if (holds) return;
  std::fprintf(stderr, "%s:%u: broken: %s\n", here.file_name(), here.line(), promise);
  std::abort();
}

}  // namespace fuzz
