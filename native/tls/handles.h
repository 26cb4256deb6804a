#pragma once

#include <memory>

#include "tls/openssl_api.h"

namespace tls {

/// Gives one of OpenSSL's objects back.
template <typename Object, void (*OpenSsl::*Free)(Object*)>
struct Freed {
  void operator()(Object* object) const noexcept { (OpenSsl::Find()->*Free)(object); }
};

using KeyHandle = std::unique_ptr<Key, Freed<Key, &OpenSsl::EVP_PKEY_free>>;
using Pkcs12Handle = std::unique_ptr<Pkcs12, Freed<Pkcs12, &OpenSsl::PKCS12_free>>;
using SslContextHandle = std::unique_ptr<SslContext, Freed<SslContext, &OpenSsl::SSL_CTX_free>>;
using SslHandle = std::unique_ptr<Ssl, Freed<Ssl, &OpenSsl::SSL_free>>;
using X509Handle = std::unique_ptr<X509, Freed<X509, &OpenSsl::X509_free>>;

}  // namespace tls
