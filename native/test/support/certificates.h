#pragma once

#include <string>

#include "tls/tls_options.h"

namespace test {

/// Keys and certificates made by the command line of OpenSSL, once for a process. Whoever asks for
/// them finds OpenSSL's functions in the process, too, as in one of Node's.
///
/// An authority vouches for "localhost" (P-256), "rsa.test" (RSA) and a client; "stranger" has only
/// itself.
struct Certificates {
  tls::Der authority;

  /// What shows the certificate of that name, with its key.
  [[nodiscard]] static tls::TlsOptions Showing(const std::string& name);

  static const Certificates& Get();
};

}  // namespace test
