#pragma once

#include <cstdint>

namespace gev::load {

// What one connection has read at a time.
struct Received {
  uint64_t bytes = 0;
  uint32_t messages = 0;  // completed by these bytes
  int64_t now = 0;        // when they were read
};

}  // namespace gev::load
