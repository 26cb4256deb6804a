#pragma once

#include <cstddef>
#include <cstdint>

// OpenSSL's functions, as far as they are used, under their own names: declared by hand, so that
// neither its headers nor a copy of it are needed, and found at run time in whoever has loaded it.
// What they return and take is documented by OpenSSL. Types are opaque.
namespace tls {

struct Bio;
struct BioMethod;
struct Key;
struct Pkcs12;
struct Session;
struct Ssl;
struct SslContext;
struct SslCipher;
struct SslMethod;
struct Stack;
struct X509;
struct X509Name;
struct X509Store;
struct X509StoreContext;

using VerifyCallback = int (*)(int ok, X509StoreContext*);
using NewSessionCallback = int (*)(Ssl*, Session*);
using ClientHelloCallback = int (*)(Ssl*, int* alert, void* argument);
using AlpnSelectCallback = int (*)(Ssl*, const unsigned char** out, unsigned char* out_length,
                                   const unsigned char* in, unsigned in_length, void* argument);
using BioWrite = int (*)(Bio*, const char*, int);
using BioRead = int (*)(Bio*, char*, int);
using BioControl = long (*)(Bio*, int, long, void*);

// clang-format off
#define GEV_OPENSSL_FUNCTIONS(F)                                                                   \
  F(int,              BIO_get_new_index, ())                                                       \
  F(BioMethod*,       BIO_meth_new, (int, const char*))                                            \
  F(int,              BIO_meth_set_write, (BioMethod*, BioWrite))                                  \
  F(int,              BIO_meth_set_read, (BioMethod*, BioRead))                                    \
  F(int,              BIO_meth_set_ctrl, (BioMethod*, BioControl))                                 \
  F(Bio*,             BIO_new, (const BioMethod*))                                                 \
  F(void,             BIO_set_data, (Bio*, void*))                                                 \
  F(void*,            BIO_get_data, (Bio*))                                                        \
  F(void,             BIO_set_init, (Bio*, int))                                                   \
  F(void,             BIO_set_flags, (Bio*, int))                                                  \
  F(void,             BIO_clear_flags, (Bio*, int))                                                \
  F(void,             ERR_clear_error, ())                                                         \
  F(unsigned long,    ERR_peek_error, ())                                                          \
  F(const char*,      ERR_reason_error_string, (unsigned long))                                    \
  F(Key*,             d2i_AutoPrivateKey, (Key**, const unsigned char**, long))                    \
  F(void,             EVP_PKEY_free, (Key*))                                                       \
  F(X509*,            d2i_X509, (X509**, const unsigned char**, long))                             \
  F(int,              i2d_X509, (const X509*, unsigned char**))                                    \
  F(void,             X509_free, (X509*))                                                          \
  F(int,              X509_STORE_add_cert, (X509Store*, X509*))                                    \
  F(Pkcs12*,          d2i_PKCS12, (Pkcs12**, const unsigned char**, long))                         \
  F(int,              PKCS12_parse, (Pkcs12*, const char*, Key**, X509**, Stack**))                \
  F(void,             PKCS12_free, (Pkcs12*))                                                      \
  F(int,              OPENSSL_sk_num, (const Stack*))                                              \
  F(void*,            OPENSSL_sk_value, (const Stack*, int))                                       \
  F(void,             OPENSSL_sk_free, (Stack*))                                                   \
  F(const SslMethod*, TLS_method, ())                                                              \
  F(SslContext*,      SSL_CTX_new, (const SslMethod*))                                             \
  F(void,             SSL_CTX_free, (SslContext*))                                                 \
  F(long,             SSL_CTX_ctrl, (SslContext*, int, long, void*))                               \
  F(std::uint64_t,    SSL_CTX_set_options, (SslContext*, std::uint64_t))                           \
  F(int,              SSL_CTX_set_cipher_list, (SslContext*, const char*))                         \
  F(int,              SSL_CTX_set_ciphersuites, (SslContext*, const char*))                        \
  F(int,              SSL_CTX_use_certificate, (SslContext*, X509*))                               \
  F(int,              SSL_CTX_use_PrivateKey, (SslContext*, Key*))                                 \
  F(int,              SSL_CTX_add_client_CA, (SslContext*, X509*))                                 \
  F(X509Store*,       SSL_CTX_get_cert_store, (const SslContext*))                                 \
  F(void,             SSL_CTX_set_verify, (SslContext*, int, VerifyCallback))                      \
  F(long,             SSL_CTX_set_timeout, (SslContext*, long))                                    \
  F(int,              SSL_CTX_set_num_tickets, (SslContext*, std::size_t))                         \
  F(int,              SSL_CTX_set_session_id_context, (SslContext*, const unsigned char*, unsigned)) \
  F(void,             SSL_CTX_set_client_hello_cb, (SslContext*, ClientHelloCallback, void*))      \
  F(void,             SSL_CTX_set_alpn_select_cb, (SslContext*, AlpnSelectCallback, void*))        \
  F(int,              SSL_CTX_set_alpn_protos, (SslContext*, const unsigned char*, unsigned))      \
  F(void,             SSL_CTX_sess_set_new_cb, (SslContext*, NewSessionCallback))                  \
  F(Ssl*,             SSL_new, (SslContext*))                                                      \
  F(void,             SSL_free, (Ssl*))                                                            \
  F(long,             SSL_ctrl, (Ssl*, int, long, void*))                                          \
  F(int,              SSL_set_ex_data, (Ssl*, int, void*))                                         \
  F(void*,            SSL_get_ex_data, (const Ssl*, int))                                          \
  F(void,             SSL_set_bio, (Ssl*, Bio*, Bio*))                                             \
  F(void,             SSL_set_accept_state, (Ssl*))                                                \
  F(void,             SSL_set_connect_state, (Ssl*))                                               \
  F(int,              SSL_do_handshake, (Ssl*))                                                    \
  F(int,              SSL_get_error, (const Ssl*, int))                                            \
  F(int,              SSL_read, (Ssl*, void*, int))                                                \
  F(int,              SSL_write, (Ssl*, const void*, int))                                         \
  F(int,              SSL_shutdown, (Ssl*))                                                        \
  F(void,             SSL_set_shutdown, (Ssl*, int))                                               \
  F(int,              SSL_has_pending, (const Ssl*))                                               \
  F(int,              SSL_version, (const Ssl*))                                                   \
  F(int,              SSL_is_server, (const Ssl*))                                                 \
  F(int,              SSL_new_session_ticket, (Ssl*))                                              \
  F(SslContext*,      SSL_set_SSL_CTX, (Ssl*, SslContext*))                                        \
  F(void,             SSL_set_verify, (Ssl*, int, VerifyCallback))                                 \
  F(int,              SSL_set_session_id_context, (Ssl*, const unsigned char*, unsigned))          \
  F(int,              SSL_client_hello_get0_ext,                                                   \
    (Ssl*, unsigned, const unsigned char**, std::size_t*))                                         \
  F(const char*,      SSL_get_version, (const Ssl*))                                               \
  F(const SslCipher*, SSL_get_current_cipher, (const Ssl*))                                        \
  F(const char*,      SSL_CIPHER_get_name, (const SslCipher*))                                     \
  F(void,             SSL_get0_alpn_selected, (const Ssl*, const unsigned char**, unsigned*))      \
  F(const char*,      SSL_get_servername, (const Ssl*, int))                                       \
  F(int,              SSL_session_reused, (const Ssl*))                                            \
  F(long,             SSL_get_verify_result, (const Ssl*))                                         \
  F(int,              SSL_get_verify_mode, (const Ssl*))                                           \
  F(X509*,            SSL_get1_peer_certificate, (const Ssl*))                                     \
  F(int,              SSL_set_session, (Ssl*, Session*))                                           \
  F(int,              SSL_SESSION_up_ref, (Session*))                                              \
  F(void,             SSL_SESSION_free, (Session*))                                                \
  F(int,              SSL_SESSION_is_resumable, (const Session*))
// clang-format on

/// The table of them.
struct OpenSsl {
#define GEV_DECLARE(result, name, parameters) result(*name) parameters = nullptr;
  GEV_OPENSSL_FUNCTIONS(GEV_DECLARE)
#undef GEV_DECLARE

  /// Null when the process lacks one: Missing() names it. Safe from any thread.
  [[nodiscard]] static const OpenSsl* Find() noexcept;
  /// The first function that was not found; null: all were.
  [[nodiscard]] static const char* Missing() noexcept;
};

// --- numbers of its headers
// ------------------------------------------------------------------------

inline constexpr int kSslErrorSsl = 1;
inline constexpr int kSslErrorWantRead = 2;
inline constexpr int kSslErrorWantWrite = 3;
inline constexpr int kSslErrorZeroReturn = 6;

inline constexpr int kVerifyNone = 0;
inline constexpr int kVerifyPeer = 1;
inline constexpr int kVerifyFailIfNoPeerCert = 2;

inline constexpr int kCtrlMode = 33;
inline constexpr int kCtrlSetReadAhead = 41;
inline constexpr int kCtrlSetSessionCacheMode = 44;
inline constexpr int kCtrlSetHostName = 55;
inline constexpr int kCtrlSetTicketKeys = 59;
inline constexpr int kCtrlChainCert = 89;
inline constexpr int kCtrlSetMinProtocol = 123;
inline constexpr int kCtrlSetMaxProtocol = 124;

inline constexpr long kModeEnablePartialWrite = 1;
inline constexpr long kModeAcceptMovingWriteBuffer = 2;
inline constexpr long kModeReleaseBuffers = 0x10;

inline constexpr std::uint64_t kOptionNoCompression = std::uint64_t{1} << 17U;
inline constexpr std::uint64_t kOptionCipherServerPreference = std::uint64_t{1} << 22U;
inline constexpr std::uint64_t kOptionNoRenegotiation = std::uint64_t{1} << 30U;

inline constexpr long kSessionCacheOff = 0;
inline constexpr long kSessionCacheClientOnlyTold = 0x1 | 0x300;  // CLIENT | NO_INTERNAL

inline constexpr int kBioControlFlush = 11;
inline constexpr int kBioTypeSourceSink = 0x0400;
inline constexpr int kBioShouldRead = 0x01;
inline constexpr int kBioShouldWrite = 0x02;
inline constexpr int kBioShouldRetry = 0x08;
inline constexpr int kBioFlags = 0x0f;

inline constexpr unsigned kExtensionServerName = 0;
inline constexpr int kClientHelloSuccess = 1;
inline constexpr int kAlpnOk = 0;
inline constexpr int kAlpnAlertFatal = 2;
inline constexpr int kShutdownBoth = 3;
inline constexpr int kNameTypeHost = 0;
inline constexpr int kTls13 = 0x0304;
inline constexpr int kUnableToGetIssuerCert = 2;

}  // namespace tls
