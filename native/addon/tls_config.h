#pragma once

#include <napi.h>

#include "tls/tls_options.h"

namespace addon {

/// `options`: EngineTls of src/engine/engine-tls.ts. Throws std::invalid_argument for what is of
/// another type.
[[nodiscard]] tls::TlsOptions TlsOptionsOf(const Napi::Object& options);

}  // namespace addon
