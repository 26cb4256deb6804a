#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "reactor/endpoint.h"
#include "test/support/wait_until.h"

namespace test {

/// How reading from a socket came to an end.
enum class EndOfStream { kFin, kReset, kTimeout };

/// A plain client on the real kernel, apart from the reactor. Blocking calls give up after
/// kDeadline; what fails is a test failure where it happens.
class ClientSocket {
 public:
  ClientSocket() = default;
  /// Connects; `receive_buffer` (bytes, 0: the kernel's own) makes a peer with a small window.
  explicit ClientSocket(const reactor::Endpoint& server, int receive_buffer = 0);
  ClientSocket(ClientSocket&& other) noexcept;
  ClientSocket& operator=(ClientSocket&& other) noexcept;
  ~ClientSocket() { Close(); }

  /// connect(2)'s errno, or 0.
  [[nodiscard]] int connect_error() const { return connect_error_; }
  [[nodiscard]] int fd() const { return fd_; }

  /// Blocks until all is written; false when the connection broke.
  bool Write(std::string_view bytes) const;
  /// Writes what the kernel takes now; never blocks.
  void WriteAvailable(std::string_view bytes) const;
  /// Blocks for exactly `count` bytes; fewer when the stream ended.
  [[nodiscard]] std::string Read(std::size_t count) const;
  /// Blocks to the end of the stream; what came before it goes to `bytes`.
  EndOfStream ReadToEnd(std::string& bytes) const;
  /// Never blocks: what is there now (up to `limit`), and whether the stream ended.
  std::string ReadAvailable(std::size_t limit, bool& ended) const;

  void ShutdownWrite() const;
  /// Hangs up with RST.
  void Reset();
  void Close();

 private:
  int fd_ = -1;
  int connect_error_ = 0;
};

}  // namespace test
