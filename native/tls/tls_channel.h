#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "reactor/secure_channel.h"
#include "tls/handles.h"

namespace tls {

class TlsContext;

/// TLS over one socket, by OpenSSL, which reads and writes the socket itself: there is no copy of
/// what is on its way beside OpenSSL's own record, and none at all while nothing is.
class TlsChannel final : public reactor::SecureChannel {
 public:
  /// `server_name`: of one that is dialled; null: it was accepted. Returns null when there is no
  /// memory.
  [[nodiscard]] static std::unique_ptr<TlsChannel> Make(std::shared_ptr<const TlsContext> context,
                                                        SslContext* ssl_context,
                                                        const std::string* server_name) noexcept;
  ~TlsChannel() override;

  Handshake Continue(int fd) noexcept override;
  [[nodiscard]] const std::string& failure() const noexcept override { return failure_; }
  [[nodiscard]] reactor::SecureFacts Facts() const override;
  ssize_t Receive(int fd, std::span<std::byte> room, bool news,
                  bool short_reads_tell) noexcept override;
  [[nodiscard]] bool HoldsInput() const noexcept override;
  ssize_t Send(int fd, std::span<const std::byte> data) noexcept override;
  int SendEnd(int fd) noexcept override;

  /// OpenSSL's word of a session that its server lets resume.
  static int OnNewSession(Ssl* ssl, Session* session) noexcept;
  /// What OpenSSL reads and writes through.
  [[nodiscard]] static BioMethod* MakeBioMethod(const OpenSsl& openssl) noexcept;

 private:
  TlsChannel(std::shared_ptr<const TlsContext> context, SslHandle ssl, std::string server_name);

  static int ReadSocket(Bio* bio, char* room, int size) noexcept;
  static int WriteSocket(Bio* bio, const char* data, int size) noexcept;
  static long Control(Bio* bio, int command, long number, void* pointer) noexcept;
  /// Before each call that may use the socket.
  void Begin(int fd) noexcept;
  /// What such a call, which returned `result` (<= 0), has met: 0 or -errno.
  [[nodiscard]] int ErrorOf(int result) noexcept;
  void Fail(const char* why) noexcept;
  [[nodiscard]] bool IsTrusted() const noexcept;

  const std::shared_ptr<const TlsContext> context_;
  const OpenSsl& openssl_;
  const SslHandle ssl_;
  const std::string server_name_;  // that was dialled
  std::string failure_;
  int fd_ = -1;           // of the call under way
  int socket_error_ = 0;  // that it met
  bool short_reads_tell_ = false;
  bool socket_empty_ = false;  // as the last read told
  bool spoke_plain_ = false;   // the peer's first byte begins no record of a handshake
  bool heard_ = false;         // it has sent something
  bool owes_ticket_ = false;
};

}  // namespace tls
