#pragma once

#include <napi.h>

#include <system_error>

namespace addon {

/// Throws a C++ error of the set-up path as one JavaScript Error with `code` ("EADDRINUSE"),
/// `errno` and `syscall`. The single place where native errors become JavaScript's.
void ThrowAsJavaScript(Napi::Env env, const std::system_error& error);

}  // namespace addon
