#include "tls/tls_channel.h"

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "reactor/socket_ops.h"
#include "tls/tls_context.h"

namespace tls {
namespace {

constexpr int kOwner = 0;  // OpenSSL keeps this index for applications
constexpr char kAlertRecord = 0x15;
constexpr char kHandshakeRecord = 0x16;
constexpr auto kOldHello = static_cast<char>(0x80);  // of SSL 2, which OpenSSL names in its refusal

int ClampedSize(std::size_t size) noexcept {
  return static_cast<int>(std::min(size, std::size_t{1} << 30U));
}

}  // namespace

std::unique_ptr<TlsChannel> TlsChannel::Make(std::shared_ptr<const TlsContext> context,
                                             SslContext* ssl_context,
                                             const std::string* server_name) noexcept {
  const OpenSsl& openssl = context->openssl();
  static BioMethod* const method = MakeBioMethod(openssl);
  openssl.ERR_clear_error();
  SslHandle ssl(openssl.SSL_new(ssl_context));
  Bio* const bio = method == nullptr || ssl == nullptr ? nullptr : openssl.BIO_new(method);
  if (bio == nullptr) return nullptr;
  Ssl* const raw = ssl.get();
  openssl.SSL_set_bio(raw, bio, bio);
  try {
    std::unique_ptr<TlsChannel> channel(new TlsChannel(
        std::move(context), std::move(ssl), server_name == nullptr ? std::string() : *server_name));
    openssl.BIO_set_data(bio, channel.get());
    openssl.SSL_set_ex_data(raw, kOwner, channel.get());
    if (server_name == nullptr) {
      openssl.SSL_set_accept_state(raw);
      return channel;
    }
    openssl.SSL_set_connect_state(raw);
    if (server_name->empty()) return channel;
    std::string name = *server_name;
    if (openssl.SSL_ctrl(raw, kCtrlSetHostName, kNameTypeHost, name.data()) != 1) return nullptr;
    if (Session* const session = channel->context_->sessions().Take(name)) {
      openssl.SSL_set_session(raw, session);
      openssl.SSL_SESSION_free(session);
    }
    return channel;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

TlsChannel::TlsChannel(std::shared_ptr<const TlsContext> context, SslHandle ssl,
                       std::string server_name)
    : context_(std::move(context)),
      openssl_(context_->openssl()),
      ssl_(std::move(ssl)),
      server_name_(std::move(server_name)) {}

// Without a word to the peer: whoever has one for it has said it by SendEnd(). A connection that
// broke makes its session none the worse, which OpenSSL has to be told.
TlsChannel::~TlsChannel() { openssl_.SSL_set_shutdown(ssl_.get(), kShutdownBoth); }

// --- the socket, as OpenSSL sees it --------------------------------------------------------------

BioMethod* TlsChannel::MakeBioMethod(const OpenSsl& openssl) noexcept {
  BioMethod* const method =
      openssl.BIO_meth_new(openssl.BIO_get_new_index() | kBioTypeSourceSink, "gev socket");
  if (method == nullptr) return nullptr;
  openssl.BIO_meth_set_read(method, &ReadSocket);
  openssl.BIO_meth_set_write(method, &WriteSocket);
  openssl.BIO_meth_set_ctrl(method, &Control);
  return method;
}

int TlsChannel::ReadSocket(Bio* bio, char* room, int size) noexcept {
  const OpenSsl& openssl = *OpenSsl::Find();
  auto& channel = *static_cast<TlsChannel*>(openssl.BIO_get_data(bio));
  openssl.BIO_clear_flags(bio, kBioFlags);
  ssize_t result = -EAGAIN;
  if (!channel.socket_empty_) {
    do {
      result = reactor::SocketOps::Receive(channel.fd_, room, static_cast<std::size_t>(size));
    } while (result == -EINTR);
    channel.socket_empty_ = result <= 0 || (result < size && channel.short_reads_tell_);
  }
  if (result > 0) {
    if (!std::exchange(channel.heard_, true)) {
      channel.spoke_plain_ =
          room[0] != kHandshakeRecord && room[0] != kAlertRecord && room[0] != kOldHello;
    }
    return static_cast<int>(result);
  }
  if (result == -EAGAIN || result == -EWOULDBLOCK) {
    openssl.BIO_set_flags(bio, kBioShouldRead | kBioShouldRetry);
    return -1;
  }
  channel.socket_error_ = result == 0 ? ECONNRESET : static_cast<int>(-result);
  return -1;
}

int TlsChannel::WriteSocket(Bio* bio, const char* data, int size) noexcept {
  const OpenSsl& openssl = *OpenSsl::Find();
  auto& channel = *static_cast<TlsChannel*>(openssl.BIO_get_data(bio));
  openssl.BIO_clear_flags(bio, kBioFlags);
  ssize_t result = 0;
  do {
    result = reactor::SocketOps::Send(channel.fd_, data, static_cast<std::size_t>(size));
  } while (result == -EINTR);
  if (result > 0) return static_cast<int>(result);
  if (result == -EAGAIN || result == -EWOULDBLOCK) {
    openssl.BIO_set_flags(bio, kBioShouldWrite | kBioShouldRetry);
  } else {
    channel.socket_error_ = static_cast<int>(-result);
  }
  return -1;
}

long TlsChannel::Control(Bio* /*bio*/, int command, long /*number*/, void* /*pointer*/) noexcept {
  return command == kBioControlFlush ? 1 : 0;
}

void TlsChannel::Begin(int fd) noexcept {
  fd_ = fd;
  socket_error_ = 0;
  openssl_.ERR_clear_error();  // of whoever used this thread before
}

int TlsChannel::ErrorOf(int result) noexcept {
  switch (openssl_.SSL_get_error(ssl_.get(), result)) {
    case kSslErrorWantRead:
    case kSslErrorWantWrite:
      return -EAGAIN;
    case kSslErrorZeroReturn:
      return 0;
    default:
      openssl_.ERR_clear_error();  // of which Node, on this very thread, would make its own
      return socket_error_ == 0 ? -EPROTO : -socket_error_;
  }
}

// --- the handshake -------------------------------------------------------------------------------

TlsChannel::Handshake TlsChannel::Continue(int fd) noexcept {
  Begin(fd);
  socket_empty_ = short_reads_tell_ = false;
  const int result = openssl_.SSL_do_handshake(ssl_.get());
  if (result == 1) {
    owes_ticket_ =
        openssl_.SSL_is_server(ssl_.get()) != 0 && openssl_.SSL_version(ssl_.get()) == kTls13;
    return Handshake::kDone;
  }
  const char* const reason = openssl_.ERR_reason_error_string(openssl_.ERR_peek_error());
  const int error = ErrorOf(result);
  // OpenSSL would wait for five bytes of what is no record.
  if (error == -EAGAIN && !spoke_plain_) return Handshake::kPending;
  if (spoke_plain_) {
    Fail("the peer speaks no TLS");
  } else if (socket_error_ == 0) {
    Fail(reason == nullptr ? "TLS failed" : reason);
  }
  return Handshake::kFailed;
}

void TlsChannel::Fail(const char* why) noexcept {
  try {
    failure_ = why;
  } catch (const std::bad_alloc&) {
    failure_.clear();
  }
}

bool TlsChannel::IsTrusted() const noexcept {
  return openssl_.SSL_get_verify_result(ssl_.get()) == 0;
}

reactor::SecureFacts TlsChannel::Facts() const {
  Ssl* const ssl = ssl_.get();
  reactor::SecureFacts facts;
  facts.protocol = openssl_.SSL_get_version(ssl);
  if (const SslCipher* const cipher = openssl_.SSL_get_current_cipher(ssl)) {
    facts.cipher = openssl_.SSL_CIPHER_get_name(cipher);
  }
  const unsigned char* alpn = nullptr;
  unsigned alpn_length = 0;
  openssl_.SSL_get0_alpn_selected(ssl, &alpn, &alpn_length);
  if (alpn != nullptr) facts.alpn.assign(reinterpret_cast<const char*>(alpn), alpn_length);
  const char* const name = openssl_.SSL_get_servername(ssl, kNameTypeHost);
  if (name != nullptr) facts.server_name = name;
  facts.resumed = openssl_.SSL_session_reused(ssl) != 0;
  const X509Handle certificate(openssl_.SSL_get1_peer_certificate(ssl));
  if (certificate == nullptr) {
    const bool asks = openssl_.SSL_get_verify_mode(ssl) != kVerifyNone;
    facts.verify_error = asks ? kUnableToGetIssuerCert : -1;
    return facts;
  }
  facts.verify_error = static_cast<int>(openssl_.SSL_get_verify_result(ssl));
  const int length = openssl_.i2d_X509(certificate.get(), nullptr);
  if (length <= 0) return facts;
  facts.peer_certificate.resize(static_cast<std::size_t>(length));
  auto* next = reinterpret_cast<unsigned char*>(facts.peer_certificate.data());
  openssl_.i2d_X509(certificate.get(), &next);
  return facts;
}

// Not before the server is trusted: whoever resumes shows no certificate again.
int TlsChannel::OnNewSession(Ssl* ssl, Session* session) noexcept {
  const auto& channel =
      *static_cast<const TlsChannel*>(OpenSsl::Find()->SSL_get_ex_data(ssl, kOwner));
  const OpenSsl& openssl = channel.openssl_;
  if (channel.server_name_.empty() || !channel.IsTrusted() ||
      openssl.SSL_SESSION_is_resumable(session) == 0) {
    return 0;
  }
  try {
    channel.context_->sessions().Put(channel.server_name_, session);
  } catch (const std::bad_alloc&) {
    return 0;
  }
  return 1;
}

// --- bytes ---------------------------------------------------------------------------------------

ssize_t TlsChannel::Receive(int fd, std::span<std::byte> room, bool news,
                            bool short_reads_tell) noexcept {
  Begin(fd);
  short_reads_tell_ = short_reads_tell;
  if (news) socket_empty_ = false;
  const int result = openssl_.SSL_read(ssl_.get(), room.data(), ClampedSize(room.size()));
  if (result > 0) return result;
  // Whoever comes again after this was told of something new.
  socket_empty_ = false;
  return ErrorOf(result);
}

bool TlsChannel::HoldsInput() const noexcept { return openssl_.SSL_has_pending(ssl_.get()) != 0; }

ssize_t TlsChannel::Send(int fd, std::span<const std::byte> data) noexcept {
  Begin(fd);
  if (std::exchange(owes_ticket_, false)) openssl_.SSL_new_session_ticket(ssl_.get());
  const int result = openssl_.SSL_write(ssl_.get(), data.data(), ClampedSize(data.size()));
  if (result > 0) return result;
  const int error = ErrorOf(result);
  return error == 0 ? -EPIPE : error;
}

int TlsChannel::SendEnd(int fd) noexcept {
  Begin(fd);
  const int result = openssl_.SSL_shutdown(ssl_.get());
  return result >= 0 ? 0 : ErrorOf(result);
}

}  // namespace tls
