#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace protocol {

/// What a framer remembers of one connection between two looks at an incomplete frame, so that no
/// byte is scanned twice. As constructed at the start of every frame.
struct FrameState {
  std::uint64_t scanned = 0;
  std::uint64_t count = 0;
  bool ascii = true;         // nothing else among the bytes scanned
  std::uint8_t skipped = 0;  // bytes in front of the frame that belong to none
};

struct FrameResult {
  /// kSkipped: bytes that belong to no frame; the caller drops them and keeps the FrameState.
  enum class Status : std::uint8_t { kFrame, kSkipped, kIncomplete, kInvalid, kTooLong };

  /// `wanted`: with fewer bytes in all the result would still be this; 0: nothing is known.
  [[nodiscard]] static constexpr FrameResult Incomplete(std::size_t wanted = 0) noexcept {
    return {.status = Status::kIncomplete, .wanted = wanted};
  }
  [[nodiscard]] static constexpr FrameResult Skipped(std::size_t bytes) noexcept {
    return {.status = Status::kSkipped, .consumed = bytes};
  }
  [[nodiscard]] static constexpr FrameResult Invalid() noexcept {
    return {.status = Status::kInvalid};
  }
  /// `byte`: no frame begins with it.
  [[nodiscard]] static constexpr FrameResult NoBeginning(std::byte byte) noexcept {
    return {.status = Status::kInvalid,
            .payload_length = kNoBeginning | std::to_integer<std::uint32_t>(byte)};
  }
  /// `bytes`: how many the payload has, at least.
  [[nodiscard]] static constexpr FrameResult TooLong(std::size_t bytes) noexcept {
    return {.status = Status::kTooLong, .payload_length = bytes};
  }

  /// In the upper bytes of `payload_length`: the lowest byte is one that no frame begins with.
  static constexpr std::uint32_t kNoBeginning = 0xFFFFFF00U;

  Status status = Status::kIncomplete;
  std::size_t consumed = 0;        // kFrame: bytes with the envelope; kSkipped: bytes to drop
  std::size_t payload_offset = 0;  // kFrame: where the payload begins …
  std::size_t payload_length = 0;  // … and how long it is; kTooLong: it has so many bytes at
                                   // least; kInvalid: 0, or NoBeginning()
  std::size_t wanted = 0;          // kIncomplete: see above
  bool ascii = false;              // kFrame: known to hold nothing but ASCII
};

/// What frames are to whoever receives them.
enum class FrameContent : std::uint8_t {
  kChunks,   // none: what one read returned is handed on as it is
  kBytes,    // anything
  kText,     // UTF-8
  kPackets,  // UTF-8 that holds packets of Nest's, whose parts are worth looking for
};

/// Cuts a byte stream into frames. Holds configuration only and is shared by all connections that
/// are framed alike; what belongs to a connection is in FrameState. Any thread.
class Framer {
 public:
  explicit Framer(FrameContent content) noexcept : content_(content) {}
  Framer(const Framer&) = delete;
  Framer& operator=(const Framer&) = delete;
  virtual ~Framer() = default;

  [[nodiscard]] FrameContent content() const noexcept { return content_; }

  /// Looks for one frame at the start of `input` (not empty). After kIncomplete it is called again
  /// with the same bytes and more behind them; `state` tells where it stopped. So it may be after
  /// kFrame, should there be no room for the frame.
  virtual FrameResult Next(std::span<const std::byte> input, FrameState& state) const noexcept = 0;

 private:
  FrameContent content_;
};

}  // namespace protocol
