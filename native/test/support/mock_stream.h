#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>

namespace test {

/// One end of an established connection inside the mock kernel, as tcp(7) behaves: a bounded queue
/// of bytes that arrived, FIN and RST. The ends know each other weakly: an end that is gone was
/// closed. All functions return a count or -errno.
class MockStream {
 public:
  static constexpr std::size_t kDefaultWindow = 64 * 1024;

  using Ends = std::pair<std::shared_ptr<MockStream>, std::shared_ptr<MockStream>>;
  /// Two connected ends: on `port`, and of the client on `client_port`.
  static Ends Pair(std::uint16_t port, std::uint16_t client_port);

  ssize_t Send(const void* data, std::size_t size);
  ssize_t Receive(void* buffer, std::size_t size);
  ssize_t Peek(void* buffer, std::size_t size);
  /// One urgent byte: no part of the stream, but a receive stops at the place where it was, however
  /// much is behind it. False: no room.
  bool SendUrgent();
  int ShutdownWrite();
  /// FIN to the other end, or RST when bytes were left unread.
  void Close();
  /// RST to the other end.
  void Reset();
  /// An RST (or a failure) reaches this end.
  void OnReset(int error);
  int TakeError() { return std::exchange(error_, 0); }

  /// Bytes that may wait here unread; makes the other end writable when it grows.
  void SetWindow(std::size_t bytes);

  /// This end acknowledges nothing that comes (or again all that came).
  void HoldAcknowledgements(bool hold) { silent_ = hold; }
  /// Whether the other end has acknowledged what this one sent: 0, or one byte.
  [[nodiscard]] std::size_t unacknowledged() const;

  /// epoll(7) bits.
  [[nodiscard]] std::uint32_t Readiness() const;
  /// Sends that can be taken now.
  [[nodiscard]] std::size_t Room() const;
  [[nodiscard]] std::size_t unread() const { return input_.size(); }
  [[nodiscard]] bool fin_received() const { return fin_received_; }
  [[nodiscard]] bool is_reset() const { return reset_; }

  /// Something happened that epoll reports as an edge; taken by the kernel's epoll.
  void RaiseEdge() { edge_ = true; }
  /// A send was told that there is no room: an edge when there is some, or had appeared just after.
  void AwaitRoom() {
    wants_room_ = true;
    TellRoom();
  }
  bool TakeEdge() { return std::exchange(edge_, false); }

  /// Set when epoll reported bytes; taken by the next receive.
  bool told_readable = false;
  /// Of this end and of the other.
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;

 private:
  void TellRoom();

  std::weak_ptr<MockStream> other_;
  std::string input_;
  std::deque<std::size_t> urgent_;  // places in `input_` at which a receive stops
  std::size_t window_ = kDefaultWindow;
  bool fin_received_ = false;
  bool fin_sent_ = false;
  bool reset_ = false;
  bool silent_ = false;      // acknowledges nothing
  bool wants_room_ = false;  // a send met a full queue: an edge when there is room
  bool edge_ = false;
  int error_ = 0;  // SO_ERROR
};

}  // namespace test
