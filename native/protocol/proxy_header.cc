#include "protocol/proxy_header.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string>
#include <string_view>

namespace protocol {
namespace {

using Status = ProxyHeader::Status;
using reactor::Endpoint;

constexpr std::string_view kV1Start = "PROXY ";
constexpr std::size_t kV1Longest = 107;  // CR LF included
constexpr std::string_view kV2Start("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kV2Head = 16;
constexpr std::size_t kTlvHead = 3;

ProxyHeader Invalid(const char* problem) {
  ProxyHeader header;
  header.status = Status::kInvalid;
  header.problem = problem;
  return header;
}

ProxyHeader Complete(std::size_t length, std::uint8_t version) {
  ProxyHeader header;
  header.status = Status::kComplete;
  header.length = length;
  header.version = version;
  return header;
}

std::uint8_t ByteAt(std::span<const std::byte> bytes, std::size_t index) {
  return std::to_integer<std::uint8_t>(bytes[index]);
}
std::size_t WordAt(std::span<const std::byte> bytes, std::size_t index) {
  return std::size_t{ByteAt(bytes, index)} << 8U | ByteAt(bytes, index + 1);
}

// --- version 1 -----------------------------------------------------------------------------------

/// Up to the next space, which is taken off, too.
std::string_view TakeWord(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

std::optional<std::uint16_t> PortOf(std::string_view text) {
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool whole = parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
  if (!whole || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  return port;
}

/// Some write an IPv4 address where they say TCP6; the other way round it is none.
std::optional<Endpoint> EndpointOf(std::string_view host, std::string_view port, bool v6) {
  const auto number = PortOf(port);
  Endpoint out;
  if (!number || host.find('%') != std::string_view::npos ||
      Endpoint::ParseAddress(std::string(host), *number, out) < 0 ||
      (!v6 && out.family() != AF_INET)) {
    return std::nullopt;
  }
  return out;
}

ProxyHeader ReadLine(std::string_view line, std::size_t length) {
  ProxyHeader header = Complete(length, 1);
  line.remove_prefix(kV1Start.size());
  const bool ends_in_space = line.ends_with(' ');
  const std::string_view family = TakeWord(line);
  if (family == "UNKNOWN") return header;
  if (family != "TCP4" && family != "TCP6") return Invalid("neither TCP4, TCP6 nor UNKNOWN");
  const bool v6 = family == "TCP6";
  const std::string_view source = TakeWord(line);
  const std::string_view destination = TakeWord(line);
  const std::string_view source_port = TakeWord(line);
  const std::string_view destination_port = TakeWord(line);
  header.source = EndpointOf(source, source_port, v6);
  header.destination = EndpointOf(destination, destination_port, v6);
  if (!line.empty() || ends_in_space || !header.source || !header.destination) {
    return Invalid("the addresses of its line are none, or not of its family");
  }
  return header;
}

ProxyHeader ReadV1(std::string_view text) {
  const std::size_t end = text.substr(0, kV1Longest).find('\n');
  if (end == std::string_view::npos) {
    if (text.size() >= kV1Longest) return Invalid("a line of more than 107 bytes");
    return {};
  }
  if (text[end - 1] != '\r') return Invalid("a line that does not end with CR LF");
  return ReadLine(text.substr(0, end - 1), end + 1);
}

// --- version 2 -----------------------------------------------------------------------------------

Endpoint V4At(std::span<const std::byte> bytes, std::size_t host, std::size_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  std::memcpy(&address.sin_addr, &bytes[host], sizeof address.sin_addr);
  std::memcpy(&address.sin_port, &bytes[port], sizeof address.sin_port);
  sockaddr_storage storage{};
  std::memcpy(&storage, &address, sizeof address);
  return {storage, sizeof address};
}

Endpoint V6At(std::span<const std::byte> bytes, std::size_t host, std::size_t port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  std::memcpy(&address.sin6_addr, &bytes[host], sizeof address.sin6_addr);
  std::memcpy(&address.sin6_port, &bytes[port], sizeof address.sin6_port);
  sockaddr_storage storage{};
  std::memcpy(&storage, &address, sizeof address);
  return {storage, sizeof address};
}

bool AreTlvs(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (bytes.size() < kTlvHead) return false;
    const std::size_t length = kTlvHead + WordAt(bytes, 1);
    if (length > bytes.size()) return false;
    bytes = bytes.subspan(length);
  }
  return true;
}

ProxyHeader ReadPayload(ProxyHeader header, std::uint8_t family,
                        std::span<const std::byte> payload) {
  constexpr std::size_t kV4Block = 12;
  constexpr std::size_t kV6Block = 36;
  constexpr std::size_t kUnixBlock = 216;
  std::size_t block = 0;
  switch (family) {
    case 0x00:
      break;
    case 0x11:
      block = kV4Block;
      break;
    case 0x21:
      block = kV6Block;
      break;
    case 0x31:
      block = kUnixBlock;
      break;
    default:
      return Invalid("a family other than TCP over IPv4 or IPv6, a Unix stream or none");
  }
  if (payload.size() < block) return Invalid("shorter than the addresses of its family");
  if (family == 0x11) {
    header.source = V4At(payload, 0, 8);
    header.destination = V4At(payload, 4, 10);
  } else if (family == 0x21) {
    header.source = V6At(payload, 0, 32);
    header.destination = V6At(payload, 16, 34);
  }
  // What stands behind no addresses is of no form that is known.
  if (family != 0x00) header.tlvs = payload.subspan(block);
  if (!AreTlvs(header.tlvs)) return Invalid("TLVs that end before they are whole");
  return header;
}

ProxyHeader ReadV2(std::span<const std::byte> bytes) {
  if (bytes.size() < kV2Head) return {};
  const std::uint8_t command = ByteAt(bytes, 12);
  const std::size_t payload = WordAt(bytes, 14);
  if (command != 0x20 && command != 0x21) return Invalid("neither LOCAL nor PROXY of version 2");
  if (payload > kMaxProxyPayload) return Invalid("more than 4096 bytes");
  if (bytes.size() < kV2Head + payload) return {};
  const ProxyHeader header = Complete(kV2Head + payload, 2);
  if (command == 0x20) return header;
  return ReadPayload(header, ByteAt(bytes, 13), bytes.subspan(kV2Head, payload));
}

}  // namespace

ProxyHeader ReadProxyHeader(std::span<const std::byte> bytes, ProxyVersions versions) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto begins = [text](std::string_view start) {
    const std::size_t known = std::min(text.size(), start.size());
    return text.substr(0, known) == start.substr(0, known);
  };
  const bool v1 = (versions & kProxyV1) != 0 && begins(kV1Start);
  const bool v2 = (versions & kProxyV2) != 0 && begins(kV2Start);
  if (!v1 && !v2) return Invalid("it does not begin with one");
  if (v1 && text.size() > kV1Start.size()) return ReadV1(text);
  if (v2 && text.size() >= kV2Start.size()) return ReadV2(bytes);
  return {};
}

}  // namespace protocol
