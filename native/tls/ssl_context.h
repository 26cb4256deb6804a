#pragma once

#include <span>

#include "tls/handles.h"
#include "tls/tls_options.h"

namespace tls {

/// Whose rules a context is made for.
enum class Side : bool { kServer, kClient };

/// A context of OpenSSL's that has everything of `options` but their names, and neither callbacks
/// nor sessions of a client. Throws std::invalid_argument, in OpenSSL's words.
[[nodiscard]] SslContextHandle MakeSslContext(const OpenSsl& openssl, const TlsOptions& options,
                                              Side side);

/// How `options` has the peer's certificate looked at.
[[nodiscard]] int VerifyModeOf(const TlsOptions& options, Side side) noexcept;
/// Null, to have OpenSSL decide; or one that lets every certificate pass: what was found is told.
[[nodiscard]] VerifyCallback VerifyCallbackOf(const TlsOptions& options, Side side) noexcept;

/// The first of `ours` that is among `theirs`; both are lists of names, each behind its length.
/// Empty: there is none.
[[nodiscard]] std::span<const unsigned char> ChooseProtocol(
    std::span<const unsigned char> ours, std::span<const unsigned char> theirs) noexcept;

}  // namespace tls
