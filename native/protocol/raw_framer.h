#pragma once

#include "protocol/framer.h"

namespace protocol {

/// No framing: what one read returned is one message.
class RawFramer final : public Framer {
 public:
  RawFramer() noexcept : Framer(FrameContent::kChunks) {}

  FrameResult Next(std::span<const std::byte> input,
                   FrameState& /*state*/) const noexcept override {
    return {.status = FrameResult::Status::kFrame,
            .consumed = input.size(),
            .payload_length = input.size()};
  }
};

}  // namespace protocol
