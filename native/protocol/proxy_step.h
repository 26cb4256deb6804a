#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "protocol/proxy_header.h"
#include "reactor/accept_filter.h"
#include "reactor/connection.h"
#include "reactor/preface.h"

namespace protocol {

/// Takes the PROXY header that a trusted source begins with, and nothing behind it. The connection
/// is the named client's from then on, who has to be let in as if he had connected himself; one
/// that is the proxy's own is not asked.
class ProxyStep final : public reactor::PrefaceStep {
 public:
  /// `filter` must outlive it.
  ProxyStep(ProxyVersions versions, reactor::AcceptFilter& filter) noexcept
      : versions_(versions), filter_(filter) {}

  [[nodiscard]] Progress Advance(reactor::Connection& connection) noexcept override;
  [[nodiscard]] reactor::Refusal cause() const noexcept override { return cause_; }
  [[nodiscard]] std::string detail() const override { return problem_ == nullptr ? "" : problem_; }
  /// Version, 1 if a client was named, his server's address (16 bytes) and port, and the TLVs: what
  /// src/engine/native/proxied.ts reads.
  [[nodiscard]] std::span<const std::byte> findings() const noexcept override { return findings_; }

 private:
  Progress Read(reactor::Connection& connection);
  Progress Finish(reactor::Connection& connection, const ProxyHeader& header);

  const ProxyVersions versions_;
  reactor::AcceptFilter& filter_;
  std::vector<std::byte> taken_;  // of the header
  std::vector<std::byte> findings_;
  reactor::Refusal cause_ = reactor::Refusal::kHandshakeClosed;
  const char* problem_ = nullptr;
};

}  // namespace protocol
