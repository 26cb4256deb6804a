#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/framer.h"

namespace test {

inline std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

struct Frame {
  std::string payload;
  bool ascii = false;

  bool operator==(const Frame&) const = default;
};

/// Plays one connection to a framer: keeps what is incomplete and takes every frame there is. Looks
/// for none before there are as many bytes as are wanted.
class FrameReader {
 public:
  explicit FrameReader(const protocol::Framer& framer) : framer_(framer) {}

  /// The stream goes on with these bytes. Nothing happens after an invalid frame.
  void Feed(std::string_view bytes) {
    if (invalid_) return;
    kept_ += bytes;
    while (!kept_.empty() && kept_.size() >= wanted_) {
      const protocol::FrameResult frame = framer_.Next(BytesOf(kept_), state_);
      // What is wanted is more than there is, and no more than there will be.
      wanted_ = frame.wanted;
      if (frame.status == protocol::FrameResult::Status::kIncomplete) return;
      if (frame.status == protocol::FrameResult::Status::kInvalid ||
          frame.status == protocol::FrameResult::Status::kTooLong) {
        invalid_ = true;
        return;
      }
      if (frame.status == protocol::FrameResult::Status::kSkipped) {
        kept_.erase(0, frame.consumed);
        continue;
      }
      frames_.push_back({kept_.substr(frame.payload_offset, frame.payload_length), frame.ascii});
      kept_.erase(0, frame.consumed);
      state_ = {};
    }
  }

  [[nodiscard]] const std::vector<Frame>& frames() const { return frames_; }
  [[nodiscard]] std::vector<std::string> payloads() const {
    std::vector<std::string> payloads;
    for (const Frame& frame : frames_) payloads.push_back(frame.payload);
    return payloads;
  }
  [[nodiscard]] bool invalid() const { return invalid_; }
  /// Bytes of the frame that is not complete.
  [[nodiscard]] std::size_t kept() const { return kept_.size(); }
  [[nodiscard]] const protocol::FrameState& state() const { return state_; }

 private:
  const protocol::Framer& framer_;
  std::vector<Frame> frames_;
  std::string kept_;
  protocol::FrameState state_;
  std::size_t wanted_ = 0;
  bool invalid_ = false;
};

}  // namespace test
