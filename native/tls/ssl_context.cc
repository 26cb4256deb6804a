#include "tls/ssl_context.h"

#include <algorithm>
#include <array>
#include <span>
#include <stdexcept>
#include <string>

namespace tls {
namespace {

const unsigned char* Data(const std::vector<std::byte>& bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

/// Sets a context up, and throws where OpenSSL does not.
class Setup {
 public:
  Setup(const OpenSsl& openssl, SslContext* context) noexcept
      : openssl_(openssl), context_(context) {}

  void Check(bool succeeded, const char* what) const {
    if (succeeded) return;
    const char* const reason = openssl_.ERR_reason_error_string(openssl_.ERR_peek_error());
    openssl_.ERR_clear_error();
    throw std::invalid_argument(std::string("TLS: ") + what + ": " +
                                (reason == nullptr ? "refused by OpenSSL" : reason));
  }

  long Control(int command, long number, void* pointer = nullptr) const noexcept {
    return openssl_.SSL_CTX_ctrl(context_, command, number, pointer);
  }

  [[nodiscard]] X509Handle Parse(const Der& der) const {
    const unsigned char* next = Data(der);
    X509Handle certificate(openssl_.d2i_X509(nullptr, &next, static_cast<long>(der.size())));
    Check(certificate != nullptr, "a certificate");
    return certificate;
  }

  void Show(const std::vector<Der>& chain) const {
    for (const Der& der : chain) {
      const X509Handle certificate = Parse(der);
      if (&der == &chain.front()) {
        Check(openssl_.SSL_CTX_use_certificate(context_, certificate.get()) == 1, "cert");
      } else {
        Vouch(certificate.get());
      }
    }
  }

  void UseKey(const Der& der) const {
    const unsigned char* next = Data(der);
    const KeyHandle key(openssl_.d2i_AutoPrivateKey(nullptr, &next, static_cast<long>(der.size())));
    Check(key != nullptr, "key");
    Check(openssl_.SSL_CTX_use_PrivateKey(context_, key.get()) == 1, "key");
  }

  void UsePfx(const Pfx& pfx) const {
    const unsigned char* next = Data(pfx.bytes);
    const Pkcs12Handle parsed(
        openssl_.d2i_PKCS12(nullptr, &next, static_cast<long>(pfx.bytes.size())));
    Check(parsed != nullptr, "pfx");
    Key* raw_key = nullptr;
    X509* raw_certificate = nullptr;
    Stack* others = nullptr;
    const int result = openssl_.PKCS12_parse(parsed.get(), pfx.passphrase.c_str(), &raw_key,
                                             &raw_certificate, &others);
    const KeyHandle key(raw_key);
    const X509Handle certificate(raw_certificate);
    std::vector<X509Handle> chain;
    for (int i = 0; others != nullptr && i < openssl_.OPENSSL_sk_num(others); ++i) {
      chain.emplace_back(static_cast<X509*>(openssl_.OPENSSL_sk_value(others, i)));
    }
    if (others != nullptr) openssl_.OPENSSL_sk_free(others);
    Check(result == 1 && key != nullptr && certificate != nullptr, "pfx");
    Check(openssl_.SSL_CTX_use_certificate(context_, certificate.get()) == 1, "pfx");
    Check(openssl_.SSL_CTX_use_PrivateKey(context_, key.get()) == 1, "pfx");
    for (const X509Handle& each : chain) {
      Vouch(each.get());
      Trust(each.get());
    }
  }

  void Trust(X509* authority) const {
    // One that is there already is no failure.
    openssl_.X509_STORE_add_cert(openssl_.SSL_CTX_get_cert_store(context_), authority);
    openssl_.SSL_CTX_add_client_CA(context_, authority);
  }

 private:
  void Vouch(X509* certificate) const {
    Check(Control(kCtrlChainCert, 1, certificate) == 1, "cert");
  }

  const OpenSsl& openssl_;
  SslContext* context_;
};

int Accept(int /*ok*/, X509StoreContext* /*context*/) { return 1; }
int Judge(int ok, X509StoreContext* /*context*/) { return ok; }

}  // namespace

int VerifyModeOf(const TlsOptions& options, Side side) noexcept {
  if (side == Side::kClient) return kVerifyPeer;
  if (!options.request_certificate) return kVerifyNone;
  return options.reject_unauthorized ? kVerifyPeer | kVerifyFailIfNoPeerCert : kVerifyPeer;
}

// A client's own layer says why it does not trust a server, in words that users know. Never null:
// SSL_set_verify() takes that for "as before", and a connection would go on under the rules of the
// context it began with.
VerifyCallback VerifyCallbackOf(const TlsOptions& options, Side side) noexcept {
  return side == Side::kServer && options.reject_unauthorized ? &Judge : &Accept;
}

SslContextHandle MakeSslContext(const OpenSsl& openssl, const TlsOptions& options, Side side) {
  openssl.ERR_clear_error();
  SslContextHandle context(openssl.SSL_CTX_new(openssl.TLS_method()));
  const Setup setup(openssl, context.get());
  setup.Check(context != nullptr, "context");
  SslContext* const raw = context.get();
  openssl.SSL_CTX_set_options(
      raw, kOptionNoCompression | kOptionNoRenegotiation | kOptionCipherServerPreference);
  setup.Control(kCtrlMode,
                kModeEnablePartialWrite | kModeAcceptMovingWriteBuffer | kModeReleaseBuffers);
  // One call brings what the kernel has of a record, and not its header first.
  setup.Control(kCtrlSetReadAhead, 1);
  setup.Check(setup.Control(kCtrlSetMinProtocol, options.min_version) == 1, "minVersion");
  setup.Check(setup.Control(kCtrlSetMaxProtocol, options.max_version) == 1, "maxVersion");
  if (!options.ciphers.empty()) {
    setup.Check(openssl.SSL_CTX_set_cipher_list(raw, options.ciphers.c_str()) == 1, "ciphers");
  }
  if (!options.cipher_suites.empty()) {
    setup.Check(openssl.SSL_CTX_set_ciphersuites(raw, options.cipher_suites.c_str()) == 1,
                "ciphers");
  }
  for (const auto& chain : options.certificates) setup.Show(chain);
  for (const Der& key : options.keys) setup.UseKey(key);
  for (const Pfx& pfx : options.pfx) setup.UsePfx(pfx);
  for (const Der& authority : options.authorities) setup.Trust(setup.Parse(authority).get());
  openssl.SSL_CTX_set_verify(raw, VerifyModeOf(options, side), VerifyCallbackOf(options, side));
  openssl.SSL_CTX_set_timeout(raw, options.session_timeout);
  if (side == Side::kServer) {
    setup.Control(kCtrlSetSessionCacheMode, kSessionCacheOff);
    // Tickets go out with the first bytes of the application: a peer that says goodbye in the
    // middle of the handshake's last flight would cost it what it sent.
    openssl.SSL_CTX_set_num_tickets(raw, 0);
    if (!options.ticket_keys.empty()) {
      std::vector<std::byte> keys = options.ticket_keys;
      setup.Check(
          setup.Control(kCtrlSetTicketKeys, static_cast<long>(keys.size()), keys.data()) == 1,
          "ticketKeys");
    }
    setup.Check(openssl.SSL_CTX_set_session_id_context(
                    raw, Data(options.session_id_context),
                    static_cast<unsigned>(options.session_id_context.size())) == 1,
                "session id context");
  } else if (!options.alpn.empty()) {
    setup.Check(openssl.SSL_CTX_set_alpn_protos(raw, Data(options.alpn),
                                                static_cast<unsigned>(options.alpn.size())) == 0,
                "ALPNProtocols");
  }
  openssl.ERR_clear_error();
  return context;
}

std::span<const unsigned char> ChooseProtocol(std::span<const unsigned char> ours,
                                              std::span<const unsigned char> theirs) noexcept {
  const auto first = [](std::span<const unsigned char> list) {
    return list.subspan(1, std::min<std::size_t>(list.front(), list.size() - 1));
  };
  for (; !ours.empty(); ours = ours.subspan(1 + first(ours).size())) {
    for (auto rest = theirs; !rest.empty(); rest = rest.subspan(1 + first(rest).size())) {
      if (std::ranges::equal(first(ours), first(rest))) return first(rest);
    }
  }
  return {};
}

}  // namespace tls
