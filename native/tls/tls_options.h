#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace tls {

using Der = std::vector<std::byte>;

/// Keys and certificates in one file, as PKCS #12 has them.
struct Pfx {
  Der bytes;
  std::string passphrase;
};

/// What a side of TLS works from; all of it was checked before. Names are in lower case.
struct TlsOptions {
  std::vector<Der> keys;                       // PKCS #8
  std::vector<std::vector<Der>> certificates;  // a key's own first, then those that vouch for it
  std::vector<Pfx> pfx;
  std::vector<Der> authorities;  // who may vouch for the peer
  bool request_certificate = false;
  bool reject_unauthorized = true;
  int min_version = 0x0303;
  int max_version = 0x0304;
  std::string ciphers;                        // up to TLS 1.2; empty: OpenSSL's own
  std::string cipher_suites;                  // of TLS 1.3; likewise
  std::vector<std::byte> alpn;                // in order of preference, each behind its length
  long session_timeout = 300;                 // seconds
  std::vector<std::byte> ticket_keys;         // 80 bytes; empty: OpenSSL makes some
  std::vector<std::byte> session_id_context;  // up to 32 bytes: sessions are resumed within it only
  /// By name, `*.example.org` for one label in its place: what clients get that ask for it.
  std::map<std::string, TlsOptions> names;
};

}  // namespace tls
