#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "reactor/secure_channel.h"
#include "tls/session_cache.h"
#include "tls/ssl_context.h"

namespace tls {

/// Keys, certificates and rules of a server or client, by the names that clients ask for. Immutable
/// but for a client's sessions; its channels keep it.
class TlsContext final : public reactor::SecureContext,
                         public std::enable_shared_from_this<TlsContext> {
 public:
  /// Throws std::invalid_argument in OpenSSL's words, and std::runtime_error where the process has
  /// no OpenSSL.
  [[nodiscard]] static std::shared_ptr<const TlsContext> Make(TlsOptions options, Side side);

  [[nodiscard]] std::unique_ptr<reactor::SecureChannel> Accept() const noexcept override;
  [[nodiscard]] std::unique_ptr<reactor::SecureChannel> Dial(
      const std::string& server_name) const noexcept override;

  [[nodiscard]] const OpenSsl& openssl() const noexcept { return openssl_; }
  /// Of a client.
  [[nodiscard]] SessionCache& sessions() const noexcept { return sessions_; }

 private:
  /// What one name stands for.
  struct Named {
    TlsOptions options;
    SslContextHandle context;
  };

  TlsContext(const OpenSsl& openssl, TlsOptions options, Side side);

  [[nodiscard]] Named MakeNamed(TlsOptions options, Side side) const;
  [[nodiscard]] const Named& Find(std::string_view server_name) const noexcept;
  static int OnClientHello(Ssl* ssl, int* alert, void* context) noexcept;
  static int OnAlpn(Ssl* ssl, const unsigned char** out, unsigned char* out_length,
                    const unsigned char* in, unsigned in_length, void* named) noexcept;

  const OpenSsl& openssl_;
  mutable SessionCache sessions_;
  std::map<std::string, std::unique_ptr<Named>, std::less<>> names_;
  std::unique_ptr<Named> default_;
};

}  // namespace tls
