#include "addon/errors.h"

#include <cerrno>
#include <cstring>
#include <new>
#include <string>
#include <system_error>

namespace addon {
namespace {

/// The symbolic names users search for; the rest is told by number.
const char* NameOf(int error) noexcept {
  switch (error) {
    case EACCES:
      return "EACCES";
    case EADDRINUSE:
      return "EADDRINUSE";
    case EADDRNOTAVAIL:
      return "EADDRNOTAVAIL";
    case EAFNOSUPPORT:
      return "EAFNOSUPPORT";
    case EINVAL:
      return "EINVAL";
    case EISDIR:
      return "EISDIR";
    case ELOOP:
      return "ELOOP";
    case EMFILE:
      return "EMFILE";
    case ENAMETOOLONG:
      return "ENAMETOOLONG";
    case ENFILE:
      return "ENFILE";
    case ENOBUFS:
      return "ENOBUFS";
    case ENODEV:
      return "ENODEV";
    case ENOENT:
      return "ENOENT";
    case ENOMEM:
      return "ENOMEM";
    case ENOTDIR:
      return "ENOTDIR";
    case ENOTSUP:
      return "ENOTSUP";
    case EPERM:
      return "EPERM";
    case EROFS:
      return "EROFS";
    default:
      return "EUNKNOWN";
  }
}

}  // namespace

void ThrowAsJavaScript(Napi::Env env, const std::exception& error) {
  const auto* const system = dynamic_cast<const std::system_error*>(&error);
  const bool no_memory = dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
  const int number = system != nullptr ? system->code().value() : no_memory ? ENOMEM : 0;
  const std::string what = error.what();
  const Napi::Error js_error = Napi::Error::New(env, std::string(NameOf(number)) + ": " + what);
  js_error.Set("code", Napi::String::New(env, NameOf(number)));
  js_error.Set("errno", Napi::Number::New(env, -number));
  if (system != nullptr) {
    js_error.Set("syscall", Napi::String::New(env, what.substr(0, what.find(':'))));
  }
  js_error.ThrowAsJavaScriptException();
}

}  // namespace addon
