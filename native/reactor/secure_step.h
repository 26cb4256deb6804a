#pragma once

#include <memory>
#include <optional>
#include <string>

#include "reactor/preface.h"
#include "reactor/secure_channel.h"

namespace reactor {

/// The handshake of a secure channel, which is the connection's when it is done.
///
/// Handshakes of a loop share a part of each turn (EventLoop::MayShakeHands()), so that whoever has
/// done theirs is served meanwhile.
class SecureStep final : public PrefaceStep {
 public:
  /// `server_name`: of one that was dialled.
  explicit SecureStep(std::shared_ptr<const SecureContext> context,
                      std::optional<std::string> server_name = std::nullopt) noexcept;

  [[nodiscard]] Progress Advance(Connection& connection) noexcept override;
  [[nodiscard]] Refusal cause() const noexcept override;
  [[nodiscard]] std::string detail() const override;

 private:
  const std::shared_ptr<const SecureContext> context_;
  const std::optional<std::string> server_name_;
  std::unique_ptr<SecureChannel> channel_;
};

}  // namespace reactor
