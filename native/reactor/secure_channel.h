#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace reactor {

/// What two peers have agreed on, once their handshake is done.
struct SecureFacts {
  std::string protocol;     // TLSv1.3
  std::string cipher;       // as OpenSSL names it
  std::string alpn;         // empty: none
  std::string server_name;  // that the client asked for; empty: none
  bool resumed = false;
  /// 0: the peer's certificate is trusted; else X509_V_ERR_… of openssl/x509_vfy.h. Of a peer that
  /// was not asked for one: -1.
  int verify_error = -1;
  std::vector<std::byte> peer_certificate;  // DER; empty: it showed none
};

/// Encrypts what one connection sends and decrypts what it receives, between the connection and its
/// socket. It reads and writes the socket as recv() and send() do, and keeps no plaintext that the
/// socket has not taken: who was told of an error offers the same bytes again.
///
/// Owned by its connection, and of its loop's thread. Nothing throws.
class SecureChannel {
 public:
  enum class Handshake : std::uint8_t {
    kDone,
    kPending,  // until the poller tells of the socket
    kFailed,   // failure() says why; the peer was told where it can be
  };

  SecureChannel() = default;
  SecureChannel(const SecureChannel&) = delete;
  SecureChannel& operator=(const SecureChannel&) = delete;
  virtual ~SecureChannel() = default;

  /// Goes on with the handshake. Not to be called again once it is done or has failed.
  virtual Handshake Continue(int fd) noexcept = 0;
  /// Why it failed, in OpenSSL's words; empty: the peer hung up, or the connection broke.
  [[nodiscard]] virtual const std::string& failure() const noexcept = 0;
  /// Once it is done.
  [[nodiscard]] virtual SecureFacts Facts() const = 0;

  /// Bytes received, 0 when the peer has said that it sends no more, or -errno: -EAGAIN when
  /// nothing is left to be read, -ECONNRESET also when the stream ends without that word, -EPROTO
  /// when what came is wrong or the peer says that we are. `news`: the poller has told of bytes
  /// since. `short_reads_tell`: a read that gave less than was asked for has emptied the socket.
  virtual ssize_t Receive(int fd, std::span<std::byte> room, bool news,
                          bool short_reads_tell) noexcept = 0;
  /// Received bytes are in here that no poller tells of.
  [[nodiscard]] virtual bool HoldsInput() const noexcept = 0;

  /// Bytes of `data` the socket took, or -errno; after -EAGAIN the same bytes come again, and may
  /// be followed by more.
  virtual ssize_t Send(int fd, std::span<const std::byte> data) noexcept = 0;
  /// Tells the peer that nothing more is sent. 0, or -errno; again after -EAGAIN.
  virtual int SendEnd(int fd) noexcept = 0;

  /// Of one Send().
  static constexpr std::size_t kMaxRecord = 16 * 1024;
};

/// What channels are made of: keys, certificates and rules. Immutable, shared by loops and threads.
class SecureContext {
 public:
  SecureContext() = default;
  SecureContext(const SecureContext&) = delete;
  SecureContext& operator=(const SecureContext&) = delete;
  virtual ~SecureContext() = default;

  /// For a connection that was accepted. Null when there is no memory.
  [[nodiscard]] virtual std::unique_ptr<SecureChannel> Accept() const noexcept = 0;
  /// For one that was dialled: it asks for `server_name`, unless that is empty.
  [[nodiscard]] virtual std::unique_ptr<SecureChannel> Dial(
      const std::string& server_name) const noexcept = 0;
};

/// The context of connections that are yet to come; another may take its place at any time. Safe
/// from any thread.
class SecureContextSlot {
 public:
  explicit SecureContextSlot(std::shared_ptr<const SecureContext> context)
      : context_(std::move(context)) {}

  [[nodiscard]] std::shared_ptr<const SecureContext> Get() const {
    const std::scoped_lock lock(mutex_);
    return context_;
  }
  void Set(std::shared_ptr<const SecureContext> context) {
    const std::scoped_lock lock(mutex_);
    context_.swap(context);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const SecureContext> context_;  // guarded by mutex_
};

}  // namespace reactor
