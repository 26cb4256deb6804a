#include "protocol/proxy_step.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>

#include "reactor/error.h"

namespace protocol {

using reactor::Connection;
using reactor::Refusal;

ProxyStep::Progress ProxyStep::Advance(Connection& connection) noexcept {
  try {
    return Read(connection);
  } catch (const std::bad_alloc&) {
    return Progress::kFailed;
  }
}

// Bytes are taken as soon as they are known to be of the header. So each look shows only what is
// new, and the end of the stream shows.
ProxyStep::Progress ProxyStep::Read(Connection& connection) {
  constexpr std::size_t kLook = 512;
  for (;;) {
    const std::size_t before = taken_.size();
    taken_.resize(before + kLook);
    const std::span<std::byte> room = std::span(taken_).subspan(before);
    const ssize_t peeked = connection.Peek(room);
    taken_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(peeked, 0)));
    const ProxyHeader header = ReadProxyHeader(taken_, versions_);
    if (peeked > 0 && header.status == ProxyHeader::Status::kInvalid) {
      cause_ = Refusal::kProxyHeader;
      problem_ = header.problem;
      return Progress::kFailed;
    }
    const bool complete = header.status == ProxyHeader::Status::kComplete;
    const std::size_t wanted = (complete ? header.length : taken_.size()) - before;
    const ssize_t count = peeked > 0 ? connection.Take(room.first(wanted)) : peeked;
    if (reactor::WouldBlock(count)) {
      taken_.resize(before);
      return Progress::kMore;
    }
    if (count <= 0) return Progress::kFailed;
    if (complete && static_cast<std::size_t>(count) == wanted) return Finish(connection, header);
    taken_.resize(before + static_cast<std::size_t>(count));
  }
}

ProxyStep::Progress ProxyStep::Finish(Connection& connection, const ProxyHeader& header) {
  findings_ = {std::byte{header.version},
               std::byte{header.source ? std::uint8_t{1} : std::uint8_t{0}}};
  if (!header.source || !header.destination) return Progress::kDone;
  const std::optional<reactor::Address> destination = header.destination->address();
  if (!destination) return Progress::kDone;
  const std::uint16_t port = header.destination->port();
  for (const std::uint8_t byte : *destination) findings_.push_back(std::byte{byte});
  findings_.push_back(static_cast<std::byte>(port >> 8U));
  findings_.push_back(static_cast<std::byte>(port & 0xffU));
  findings_.insert(findings_.end(), header.tlvs.begin(), header.tlvs.end());
  bool counted = false;
  if (const auto refusal = filter_.Admit(*header.source, reactor::MonotonicNow(), counted)) {
    connection.BelongTo(*header.source, false);
    cause_ = *refusal;
    return Progress::kFailed;
  }
  connection.BelongTo(*header.source, counted);
  return Progress::kDone;
}

}  // namespace protocol
