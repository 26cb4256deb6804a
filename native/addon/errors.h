#pragma once

#include <napi.h>

#include <exception>

namespace addon {

/// Throws a C++ error as one JavaScript Error with `code`, `errno` and, of a std::system_error,
/// `syscall`: "EADDRINUSE", or "ENOMEM" for want of memory. The single place where native errors
/// become JavaScript's.
void ThrowAsJavaScript(Napi::Env env, const std::exception& error);

}  // namespace addon
