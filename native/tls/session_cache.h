#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "tls/openssl_api.h"

namespace tls {

/// A client's sessions that may be resumed, by the name of the server: one each, as a ticket of TLS
/// 1.3 is used once. Holds the last kMost names. Safe from any thread.
class SessionCache {
 public:
  explicit SessionCache(const OpenSsl& openssl) noexcept : openssl_(openssl) {}
  SessionCache(const SessionCache&) = delete;
  SessionCache& operator=(const SessionCache&) = delete;
  ~SessionCache();

  /// Takes over a reference. Throws std::bad_alloc, and then has not.
  void Put(const std::string& server_name, Session* session);
  /// Gives up a reference to the caller; null: there is none.
  [[nodiscard]] Session* Take(const std::string& server_name) noexcept;

 private:
  static constexpr std::size_t kMost = 256;
  using Entries = std::list<std::pair<std::string, Session*>>;

  const OpenSsl& openssl_;
  std::mutex mutex_;
  Entries entries_;  // guarded by mutex_, as the next; the oldest first
  std::unordered_map<std::string, Entries::iterator> by_name_;
};

}  // namespace tls
