#include "addon/tls_config.h"

#include <stdexcept>
#include <string>

namespace addon {
namespace {

std::invalid_argument Wrong(const char* name) {
  return std::invalid_argument(std::string("NativeReactor: tls.") + name + " is of another type");
}

std::vector<std::byte> BytesIn(const Napi::Value& value, const char* name) {
  if (!value.IsTypedArray()) throw Wrong(name);
  const auto bytes = value.As<Napi::Uint8Array>();
  const auto* const begin = reinterpret_cast<const std::byte*>(bytes.Data());
  return {begin, begin + bytes.ByteLength()};
}

Napi::Array ListIn(const Napi::Object& options, const char* name) {
  const Napi::Value value = options.Get(name);
  if (!value.IsArray()) throw Wrong(name);
  return value.As<Napi::Array>();
}

template <typename Each>
void ForEach(const Napi::Array& list, const Each& each) {
  for (std::uint32_t i = 0; i < list.Length(); ++i) each(list.Get(i));
}

std::vector<tls::Der> DersIn(const Napi::Array& list, const char* name) {
  std::vector<tls::Der> ders;
  ForEach(list, [&](const Napi::Value& der) { ders.push_back(BytesIn(der, name)); });
  return ders;
}

int IntegerIn(const Napi::Object& options, const char* name) {
  const Napi::Value value = options.Get(name);
  if (!value.IsNumber()) throw Wrong(name);
  return value.As<Napi::Number>().Int32Value();
}

std::string TextIn(const Napi::Object& options, const char* name) {
  const Napi::Value value = options.Get(name);
  if (!value.IsString()) throw Wrong(name);
  return value.As<Napi::String>().Utf8Value();
}

}  // namespace

tls::TlsOptions TlsOptionsOf(const Napi::Object& options) {
  tls::TlsOptions out;
  out.keys = DersIn(ListIn(options, "keys"), "keys");
  ForEach(ListIn(options, "certificates"), [&](const Napi::Value& chain) {
    if (!chain.IsArray()) throw Wrong("certificates");
    out.certificates.push_back(DersIn(chain.As<Napi::Array>(), "certificates"));
  });
  ForEach(ListIn(options, "pfx"), [&](const Napi::Value& value) {
    const auto pfx = value.As<Napi::Object>();
    out.pfx.push_back({BytesIn(pfx.Get("bytes"), "pfx"), TextIn(pfx, "passphrase")});
  });
  out.authorities = DersIn(ListIn(options, "authorities"), "authorities");
  out.request_certificate = options.Get("requestCert").ToBoolean().Value();
  out.reject_unauthorized = options.Get("rejectUnauthorized").ToBoolean().Value();
  out.min_version = IntegerIn(options, "minVersion");
  out.max_version = IntegerIn(options, "maxVersion");
  out.ciphers = TextIn(options, "ciphers");
  out.cipher_suites = TextIn(options, "cipherSuites");
  out.alpn = BytesIn(options.Get("alpn"), "alpn");
  out.session_timeout = IntegerIn(options, "sessionTimeout");
  out.ticket_keys = BytesIn(options.Get("ticketKeys"), "ticketKeys");
  out.session_id_context = BytesIn(options.Get("sessionIdContext"), "sessionIdContext");
  ForEach(ListIn(options, "names"), [&](const Napi::Value& value) {
    const auto named = value.As<Napi::Object>();
    out.names.emplace(TextIn(named, "name"), TlsOptionsOf(named.Get("tls").As<Napi::Object>()));
  });
  return out;
}

}  // namespace addon
