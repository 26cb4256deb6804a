#include "test/support/certificates.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "test/support/process.h"

namespace test {
namespace {

#if defined(__APPLE__)
constexpr const char* kLibrary = "libssl.3.dylib";
#else
constexpr const char* kLibrary = "libssl.so.3";
#endif

// By shell, so that what fails says so in the test's output. The files are gone with the folder.
constexpr const char* kScript = R"(
  set -e
  exec 2> log
  ec="-newkey ec -pkeyopt ec_paramgen_curve:P-256"
  make() { # name, kind of key, extension
    openssl req $2 -nodes -keyout $1.pem -subj "/CN=$1" -out $1.csr
    printf '%s\n' "$3" > $1.ext
    openssl x509 -req -in $1.csr -CA authority.crt -CAkey authority.pem -CAcreateserial -days 2 \
      -extfile $1.ext -outform DER -out $1.der
    openssl pkcs8 -topk8 -nocrypt -in $1.pem -outform DER -out $1.key
  }
  openssl req -x509 $ec -nodes -keyout authority.pem -subj /CN=authority -days 2 -out authority.crt
  openssl x509 -in authority.crt -outform DER -out authority.der
  make localhost "$ec" subjectAltName=DNS:localhost
  make rsa.test "-newkey rsa:2048" subjectAltName=DNS:rsa.test
  make client "$ec" extendedKeyUsage=clientAuth
  openssl req -x509 $ec -nodes -keyout stranger.pem -subj /CN=stranger -days 2 -outform DER \
    -out stranger.der
  openssl pkcs8 -topk8 -nocrypt -in stranger.pem -outform DER -out stranger.key
)";

tls::Der Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_FALSE(bytes.empty()) << path;
  const auto* const begin = reinterpret_cast<const std::byte*>(bytes.data());
  return {begin, begin + bytes.size()};
}

const TemporaryFolder& Folder() {
  static const TemporaryFolder folder;
  return folder;
}

}  // namespace

const Certificates& Certificates::Get() {
  static const Certificates certificates = [] {
    EXPECT_NE(dlopen(kLibrary, RTLD_NOW | RTLD_GLOBAL), nullptr)
        << "These tests need " << kLibrary << " and openssl: apt-get install openssl libssl3";
    const std::string command = "cd '" + Folder().File(".") + "'\n" + kScript;
    EXPECT_EQ(std::system(command.c_str()), 0) << Folder().File("log");
    return Certificates{Read(Folder().File("authority.der"))};
  }();
  return certificates;
}

tls::TlsOptions Certificates::Showing(const std::string& name) {
  Get();
  tls::TlsOptions options;
  options.keys = {Read(Folder().File(name + ".key"))};
  options.certificates = {{Read(Folder().File(name + ".der"))}};
  options.session_id_context = Read(Folder().File(name + ".der"));
  options.session_id_context.resize(32);
  return options;
}

}  // namespace test
