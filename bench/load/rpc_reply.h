#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gev::load {

// The longest reply that is waited for, its length prefix included.
inline constexpr size_t kMaxReplyBytes = 512;

enum class ReplyState : uint8_t { kComplete, kIncomplete, kMalformed };

// `{"response":15,"isDisposed":true,"id":"…"}`, keys in any order.
struct Reply {
  int64_t response = 0;
  std::string_view id;  // lies in the bytes that were read
  size_t bytes = 0;     // its size on the wire, the length prefix included
};

// Reads one reply in Nest's wire format, `<length>#<json>`, from the front of `bytes`. Malformed is
// everything else: an error reply, a value of a stream, a key more or less, white space. `reply` is
// only set when complete.
ReplyState ReadReply(std::string_view bytes, Reply& reply);

}  // namespace gev::load
