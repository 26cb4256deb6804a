#include "tls/tls_context.h"

#include <algorithm>
#include <new>
#include <span>
#include <stdexcept>
#include <utility>

#include "tls/tls_channel.h"

namespace tls {
namespace {

constexpr std::size_t kLongestName = 255;

std::span<const unsigned char> Bytes(const std::vector<std::byte>& bytes) noexcept {
  return {reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()};
}

/// The name in the extension of a client's hello, in lower case; empty: there is none.
std::string NameIn(std::span<const unsigned char> extension) {
  // The length of a list, then of each entry its type and the length of its name. Only one entry
  // was ever defined.
  if (extension.size() < 5 || extension[2] != kNameTypeHost) return {};
  const std::size_t length = std::size_t{extension[3]} << 8U | extension[4];
  if (length > extension.size() - 5 || length > kLongestName) return {};
  std::string name(reinterpret_cast<const char*>(extension.data()) + 5, length);
  std::ranges::transform(name, name.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  });
  return name;
}

}  // namespace

std::shared_ptr<const TlsContext> TlsContext::Make(TlsOptions options, Side side) {
  const OpenSsl* const openssl = OpenSsl::Find();
  if (openssl == nullptr) {
    throw std::runtime_error(std::string("TLS: this process has no ") + OpenSsl::Missing());
  }
  return std::shared_ptr<const TlsContext>(new TlsContext(*openssl, std::move(options), side));
}

TlsContext::TlsContext(const OpenSsl& openssl, TlsOptions options, Side side)
    : openssl_(openssl), sessions_(openssl) {
  for (auto& [name, named] : std::exchange(options.names, {})) {
    names_.emplace(name, std::make_unique<Named>(MakeNamed(std::move(named), side)));
  }
  default_ = std::make_unique<Named>(MakeNamed(std::move(options), side));
  const auto prepare = [&](Named& named) {
    if (named.options.alpn.empty()) return;
    openssl_.SSL_CTX_set_alpn_select_cb(named.context.get(), &OnAlpn, &named);
  };
  if (side == Side::kClient) {
    openssl_.SSL_CTX_ctrl(default_->context.get(), kCtrlSetSessionCacheMode,
                          kSessionCacheClientOnlyTold, nullptr);
    openssl_.SSL_CTX_sess_set_new_cb(default_->context.get(), &TlsChannel::OnNewSession);
    return;
  }
  prepare(*default_);
  for (const auto& [name, named] : names_) prepare(*named);
  if (!names_.empty()) {
    openssl_.SSL_CTX_set_client_hello_cb(default_->context.get(), &OnClientHello, this);
  }
}

TlsContext::Named TlsContext::MakeNamed(TlsOptions options, Side side) const {
  SslContextHandle context = MakeSslContext(openssl_, options, side);
  // Secrets and certificates are OpenSSL's now.
  options.keys.clear();
  options.certificates.clear();
  options.pfx.clear();
  options.authorities.clear();
  return {std::move(options), std::move(context)};
}

std::unique_ptr<reactor::SecureChannel> TlsContext::Accept() const noexcept {
  return TlsChannel::Make(shared_from_this(), default_->context.get(), nullptr);
}

std::unique_ptr<reactor::SecureChannel> TlsContext::Dial(
    const std::string& server_name) const noexcept {
  return TlsChannel::Make(shared_from_this(), default_->context.get(), &server_name);
}

const TlsContext::Named& TlsContext::Find(std::string_view server_name) const noexcept {
  auto found = names_.find(server_name);
  if (found != names_.end()) return *found->second;
  const std::size_t dot = server_name.find('.');
  if (dot == std::string_view::npos || dot == 0) return *default_;
  // `*.example.org` stands beside the names that begin with the dot: one label in its place.
  char wildcard[kLongestName + 1];
  wildcard[0] = '*';
  const std::string_view rest = server_name.substr(dot);
  const std::size_t length = rest.copy(wildcard + 1, sizeof wildcard - 1) + 1;
  found = names_.find(std::string_view(wildcard, length));
  return found == names_.end() ? *default_ : *found->second;
}

// Before a session is looked up: one that was made under other rules is not resumed then. What a
// connection has copied of the context it began with is set anew; the rest goes with the context.
int TlsContext::OnClientHello(Ssl* ssl, int* /*alert*/, void* argument) noexcept {
  const auto& context = *static_cast<const TlsContext*>(argument);
  const OpenSsl& openssl = context.openssl_;
  const unsigned char* extension = nullptr;
  std::size_t length = 0;
  if (openssl.SSL_client_hello_get0_ext(ssl, kExtensionServerName, &extension, &length) != 1) {
    return kClientHelloSuccess;
  }
  try {
    const Named& named = context.Find(NameIn({extension, length}));
    if (&named == context.default_.get()) return kClientHelloSuccess;
    const TlsOptions& options = named.options;
    openssl.SSL_set_SSL_CTX(ssl, named.context.get());
    openssl.SSL_set_verify(ssl, VerifyModeOf(options, Side::kServer),
                           VerifyCallbackOf(options, Side::kServer));
    openssl.SSL_ctrl(ssl, kCtrlSetMinProtocol, options.min_version, nullptr);
    openssl.SSL_ctrl(ssl, kCtrlSetMaxProtocol, options.max_version, nullptr);
    const auto id = Bytes(options.session_id_context);
    openssl.SSL_set_session_id_context(ssl, id.data(), static_cast<unsigned>(id.size()));
  } catch (const std::bad_alloc&) {
    return 0;
  }
  return kClientHelloSuccess;
}

int TlsContext::OnAlpn(Ssl* /*ssl*/, const unsigned char** out, unsigned char* out_length,
                       const unsigned char* in, unsigned in_length, void* argument) noexcept {
  const auto& named = *static_cast<const Named*>(argument);
  const auto chosen = ChooseProtocol(Bytes(named.options.alpn), {in, in_length});
  if (chosen.empty()) return kAlpnAlertFatal;
  *out = chosen.data();
  *out_length = static_cast<unsigned char>(chosen.size());
  return kAlpnOk;
}

}  // namespace tls
