#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "test/support/mock_faults.h"

namespace fuzz {

/// The input as decisions: what happens is read from its front, what the kernel answers from its
/// back, so that a change of one leaves the other alone. An input that is used up says 0 for ever.
class FuzzInput {
 public:
  FuzzInput(const std::uint8_t* data, std::size_t size) : left_(data, size) {}

  [[nodiscard]] bool empty() const { return left_.empty(); }
  /// 0 … limit - 1; `limit` at most 256.
  std::size_t Pick(std::size_t limit) { return Front() % limit; }
  bool Chance() { return Front() % 2 == 1; }
  /// A size: small ones are frequent, the largest is some `limit`.
  std::size_t Size(std::size_t limit) {
    const std::size_t byte = Front();
    return byte < 128 ? std::min(byte, limit) : limit * (byte - 127) / 128;
  }
  std::string Bytes(std::size_t count) {
    const auto taken = left_.first(std::min(count, left_.size()));
    left_ = left_.subspan(taken.size());
    return {taken.begin(), taken.end()};
  }
  std::uint8_t Front() {
    if (left_.empty()) return 0;
    const std::uint8_t byte = left_.front();
    left_ = left_.subspan(1);
    return byte;
  }
  std::uint8_t Back() {
    if (left_.empty()) return 0;
    const std::uint8_t byte = left_.back();
    left_ = left_.first(left_.size() - 1);
    return byte;
  }

 private:
  std::span<const std::uint8_t> left_;
};

/// Answers of the kernel, as the input says; bytes below 160 mean that all goes well.
class FuzzFaults final : public test::FaultSource {
 public:
  explicit FuzzFaults(FuzzInput& input) : input_(input) {}

  int ErrorFor(test::Call call) override {
    using test::Call;
    switch (call) {
      case Call::kAccept:
        return OneOf({EINTR, ECONNABORTED, EPROTO, EMFILE, ENFILE, ENOBUFS, ENOMEM});
      case Call::kReceive:
        return OneOf({EINTR, EAGAIN, ENOBUFS, ENOMEM, ECONNRESET, ETIMEDOUT, EIO});
      case Call::kSend:
        return OneOf({EINTR, EAGAIN, ENOBUFS, ENOMEM, EPIPE, ECONNRESET, EIO});
      case Call::kSocket:
        return OneOf({EMFILE, ENOMEM});
      case Call::kConnect:
        return OneOf({EINTR, EAGAIN, ECONNREFUSED, ENETUNREACH, EADDRNOTAVAIL});
      case Call::kUnacknowledged:
        return OneOf({EOPNOTSUPP});
      case Call::kShutdown:
        return OneOf({ENOTCONN, ENOBUFS});
      case Call::kEpollControl:
        return OneOf({ENOMEM, ENOSPC});
      case Call::kEpollWait:
        return OneOf({EINTR});
      case Call::kSetOption:
      case Call::kGetOption:
      case Call::kRemoteAddress:
        return OneOf({EINVAL, ENOBUFS});
      case Call::kEpollCreate:
      case Call::kEventFd:
      case Call::kBind:
      case Call::kListen:
      case Call::kOpenSpare:
        return OneOf({EMFILE, EACCES});
      default:
        return 0;
    }
  }

  std::size_t Limit(test::Call /*call*/, std::size_t size) override {
    const std::size_t byte = input_.Back();
    return byte < kFault ? size : 1 + (byte - kFault) * 7 % size;
  }

 private:
  static constexpr std::size_t kFault = 160;

  int OneOf(std::initializer_list<int> errors) {
    const std::size_t byte = input_.Back();
    return byte < kFault ? 0 : errors.begin()[(byte - kFault) % errors.size()];
  }

  FuzzInput& input_;
};

}  // namespace fuzz
