#include "bridge/inbound_events.h"

#include <span>
#include <string>

#include "reactor/endpoint.h"

namespace bridge {
namespace {

std::uint32_t Low(std::uint64_t value) noexcept { return static_cast<std::uint32_t>(value); }
std::uint32_t High(std::uint64_t value) noexcept {
  return static_cast<std::uint32_t>(value >> 32U);
}

std::span<const std::byte> Bytes(const std::string& text) noexcept {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

bool InboundEvents::Write(const EventDescriptor& event) {
  if (!stream_.Reserve(0)) return false;
  stream_.Append(event);
  return true;
}

bool InboundEvents::Open(const reactor::Connection& connection) {
  const reactor::Endpoint local = reactor::Endpoint::LocalOf(connection.fd());
  const std::string remote_host = connection.remote().host();
  const std::string local_host = local.host();
  if (!stream_.Reserve(remote_host.size() + local_host.size())) return false;
  const std::uint32_t offset = stream_.CopyData(Bytes(remote_host));
  stream_.CopyData(Bytes(local_host));
  const std::uint32_t family = connection.remote().is_unix()                ? 1
                               : remote_host.find(':') == std::string::npos ? 4
                                                                            : 6;
  stream_.Append(
      {EventKind::kOpen, connection.slot(), connection.generation(), offset,
       static_cast<std::uint32_t>(remote_host.size() + local_host.size()),
       connection.remote().port() | std::uint32_t{local.port()} << 16U,
       static_cast<std::uint32_t>(remote_host.size()) | std::uint32_t{connection.listener()} << 16U,
       family | connection.dial() << 8U});
  return true;
}

bool InboundEvents::Secured(const reactor::Connection& connection) {
  const reactor::SecureFacts facts = connection.channel()->Facts();
  const auto size = [](const auto& part) { return static_cast<std::uint32_t>(part.size()); };
  const SecuredHeader header{size(facts.protocol), size(facts.cipher), size(facts.alpn),
                             size(facts.server_name)};
  const std::size_t length = sizeof header + facts.protocol.size() + facts.cipher.size() +
                             facts.alpn.size() + facts.server_name.size() +
                             facts.peer_certificate.size();
  if (!stream_.Reserve(length)) return false;
  const std::uint32_t offset = stream_.CopyData(std::as_bytes(std::span(&header, 1)));
  for (const std::string* const text :
       {&facts.protocol, &facts.cipher, &facts.alpn, &facts.server_name}) {
    stream_.CopyData(Bytes(*text));
  }
  stream_.CopyData(facts.peer_certificate);
  stream_.Append({EventKind::kSecured, connection.slot(), connection.generation(), offset,
                  static_cast<std::uint32_t>(length), facts.resumed ? 1U : 0U,
                  static_cast<std::uint32_t>(facts.verify_error), 0});
  return true;
}

bool InboundEvents::Proxied(const reactor::Connection& connection,
                            std::span<const std::byte> findings) {
  if (!stream_.Reserve(findings.size())) return false;
  const std::uint32_t offset = stream_.CopyData(findings);
  stream_.Append({EventKind::kProxied, connection.slot(), connection.generation(), offset,
                  static_cast<std::uint32_t>(findings.size()), 0, 0, 0});
  return true;
}

bool InboundEvents::Flushed(const reactor::Connection& connection) {
  const std::uint64_t written = connection.bytes_written();
  return Write(EventKind::kFlushed, connection, Low(written), High(written));
}

bool InboundEvents::Close(const reactor::Connection& connection, reactor::CloseReason reason,
                          int error, std::uint32_t refused) {
  return Write(EventKind::kClose, connection, static_cast<std::uint32_t>(reason),
               static_cast<std::uint32_t>(error), refused);
}

bool InboundEvents::DialFailed(reactor::DialToken token, int error) {
  return Write({EventKind::kDialFailed, token, 0, 0, 0, static_cast<std::uint32_t>(error), 0, 0});
}

bool InboundEvents::Timer(reactor::TimerId id, std::uint32_t skipped) {
  return Write({EventKind::kTimer, id, 0, 0, 0, skipped, 0, 0});
}

bool InboundEvents::Quiesced() { return Write({EventKind::kQuiesced, 0, 0, 0, 0, 0, 0, 0}); }

bool InboundEvents::Refused(const reactor::RefusalReport& report) {
  const std::string remote_host = report.remote.host();
  const std::size_t length = remote_host.size() + report.detail.size();
  if (!stream_.Reserve(length)) return false;
  const std::uint32_t offset = stream_.CopyData(Bytes(remote_host));
  stream_.CopyData(Bytes(report.detail));
  stream_.Append({EventKind::kRefused, 0, 0, offset, static_cast<std::uint32_t>(length),
                  static_cast<std::uint32_t>(report.cause), Low(report.count),
                  static_cast<std::uint32_t>(remote_host.size())});
  return true;
}

bool InboundEvents::Failure(reactor::LoopFailure failure, int error) {
  return Write({EventKind::kFailure, 0, 0, 0, 0, static_cast<std::uint32_t>(failure),
                static_cast<std::uint32_t>(error), 0});
}

}  // namespace bridge
