#include <napi.h>

#include <memory>

#include "addon/environment.h"
#include "addon/reactor_wrap.h"
#include "reactor/ledger.h"
#include "tls/openssl_api.h"

namespace {

#ifndef NDEBUG
/// { descriptors: 0, threads: 0, … }: what the process holds, for tests.
Napi::Value ReadLedger(const Napi::CallbackInfo& info) {
  Napi::Object ledger = Napi::Object::New(info.Env());
  for (std::size_t i = 0; i < reactor::kAssetNames.size(); ++i) {
    const auto held = reactor::Ledger::HeldOf(static_cast<reactor::Asset>(i));
    ledger.Set(reactor::kAssetNames[i], Napi::Number::New(info.Env(), static_cast<double>(held)));
  }
  return ledger;
}
#endif

/// Runs once per Node environment (main thread, each worker): nothing here may be static.
Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(std::make_unique<addon::Environment>(env).release());
  exports.Set("version", Napi::String::New(env, GEV_VERSION));
  // The function of OpenSSL's that this process lacks; undefined: TLS is there.
  if (const char* const missing = tls::OpenSsl::Missing()) {
    exports.Set("missingOpenSsl", Napi::String::New(env, missing));
  }
  exports.Set("NativeReactor", addon::ReactorWrap::Define(env));
#ifndef NDEBUG
  exports.Set("ledger", Napi::Function::New<&ReadLedger>(env, "ledger"));
#endif
  return exports;
}

}  // namespace

NODE_API_MODULE(nestjs_gev, Initialize)
