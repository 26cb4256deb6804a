#pragma once

#include "protocol/framer.h"

namespace protocol {

/// No framing: what one read returned is one message.
class RawFramer final : public Framer {
 public:
  [[nodiscard]] bool passes_through() const noexcept override { return true; }

  FrameResult Next(std::span<const std::byte> input,
                   FrameState& /*state*/) const noexcept override {
    return {FrameResult::Status::kFrame, input.size(), 0, input.size()};
  }
};

}  // namespace protocol
