#include "tls/openssl_api.h"

#include <dlfcn.h>

namespace tls {
namespace {

/// All of it or nothing.
struct Resolved {
  OpenSsl table;
  const char* missing = nullptr;

  Resolved() noexcept {
#define GEV_RESOLVE(result, name, parameters) Resolve(table.name, #name);
    GEV_OPENSSL_FUNCTIONS(GEV_RESOLVE)
#undef GEV_RESOLVE
  }

 private:
  template <typename Function>
  void Resolve(Function*& function, const char* name) noexcept {
    function = reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
    if (function == nullptr && missing == nullptr) missing = name;
  }
};

const Resolved& Resolution() noexcept {
  static const Resolved resolved;
  return resolved;
}

}  // namespace

const OpenSsl* OpenSsl::Find() noexcept {
  return Resolution().missing == nullptr ? &Resolution().table : nullptr;
}

const char* OpenSsl::Missing() noexcept { return Resolution().missing; }

}  // namespace tls
