#include <napi.h>

#include <memory>

#include "addon/environment.h"
#include "addon/reactor_wrap.h"

namespace {

/// Runs once per Node environment (main thread, each worker): nothing here may be static.
Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(std::make_unique<addon::Environment>(env).release());
  exports.Set("NativeReactor", addon::ReactorWrap::Define(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(nestjs_gev, Initialize)
