#include "tls/session_cache.h"

namespace tls {

SessionCache::~SessionCache() {
  for (const auto& [name, session] : entries_) openssl_.SSL_SESSION_free(session);
}

void SessionCache::Put(const std::string& server_name, Session* session) {
  const std::scoped_lock lock(mutex_);
  const auto [found, is_new] = by_name_.try_emplace(server_name, entries_.end());
  if (!is_new) {
    openssl_.SSL_SESSION_free(found->second->second);
    found->second->second = session;
    return;
  }
  try {
    found->second = entries_.emplace(entries_.end(), server_name, session);
  } catch (...) {
    by_name_.erase(found);
    throw;
  }
  if (entries_.size() <= kMost) return;
  openssl_.SSL_SESSION_free(entries_.front().second);
  by_name_.erase(entries_.front().first);
  entries_.pop_front();
}

Session* SessionCache::Take(const std::string& server_name) noexcept {
  const std::scoped_lock lock(mutex_);
  const auto found = by_name_.find(server_name);
  if (found == by_name_.end()) return nullptr;
  Session* const session = found->second->second;
  entries_.erase(found->second);
  by_name_.erase(found);
  return session;
}

}  // namespace tls
