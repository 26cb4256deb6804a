#include "load/rpc_reply.h"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace gev::load {
namespace {

constexpr size_t kMaxPrefixBytes = 4;  // "509#" announces the longest reply

// Reads JSON from the front of a text, piece by piece.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool AtEnd() const { return rest_.empty(); }

  bool Take(std::string_view literal) {
    if (!rest_.starts_with(literal)) return false;
    rest_.remove_prefix(literal.size());
    return true;
  }

  bool TakeInteger(int64_t& value) {
    const char* begin = rest_.data();
    const auto [stop, error] = std::from_chars(begin, begin + rest_.size(), value);
    if (error != std::errc{}) return false;
    rest_.remove_prefix(static_cast<size_t>(stop - begin));
    return true;
  }

  // The rest of a string without escapes, its closing quote included.
  bool TakeRestOfString(std::string_view& value) {
    const size_t quote = rest_.find('"');
    if (quote == std::string_view::npos) return false;
    value = rest_.substr(0, quote);
    rest_.remove_prefix(quote + 1);
    return true;
  }

 private:
  std::string_view rest_;
};

bool ReadBody(std::string_view json, Reply& reply) {
  constexpr uint32_t kResponse = 1;
  constexpr uint32_t kIsDisposed = 2;
  constexpr uint32_t kId = 4;
  uint32_t seen = 0;
  uint32_t fields = 0;
  Cursor cursor(json);
  if (!cursor.Take("{")) return false;
  do {
    if (cursor.Take("\"response\":")) {
      if (!cursor.TakeInteger(reply.response)) return false;
      seen |= kResponse;
    } else if (cursor.Take("\"isDisposed\":true")) {
      seen |= kIsDisposed;
    } else if (cursor.Take("\"id\":\"")) {
      if (!cursor.TakeRestOfString(reply.id)) return false;
      seen |= kId;
    } else {
      return false;
    }
    ++fields;
  } while (cursor.Take(","));
  return cursor.Take("}") && cursor.AtEnd() && fields == 3 &&
         seen == (kResponse | kIsDisposed | kId);
}

}  // namespace

ReplyState ReadReply(std::string_view bytes, Reply& reply) {
  size_t length = 0;
  size_t prefix = 0;
  for (;; ++prefix) {
    if (prefix == kMaxPrefixBytes) return ReplyState::kMalformed;
    if (prefix == bytes.size()) return ReplyState::kIncomplete;
    const char letter = bytes[prefix];
    if (letter == '#') break;
    if (letter < '0' || letter > '9') return ReplyState::kMalformed;
    length = length * 10 + static_cast<size_t>(letter - '0');
  }
  ++prefix;
  if (prefix + length > kMaxReplyBytes) return ReplyState::kMalformed;
  if (prefix + length > bytes.size()) return ReplyState::kIncomplete;
  reply.bytes = prefix + length;
  return ReadBody(bytes.substr(prefix, length), reply) ? ReplyState::kComplete
                                                       : ReplyState::kMalformed;
}

}  // namespace gev::load
