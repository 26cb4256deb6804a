#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "reactor/clock.h"
#include "reactor/endpoint.h"
#include "reactor/loop_handler.h"
#include "reactor/poller/ready.h"

namespace reactor {

class EventLoop;

/// Dials without blocking and makes connections of the sockets that connect. Every dial has one
/// outcome: a connection, whose OnOpen() finds the token in Connection::dial(), or an
/// OnDialFailed() with that token. Belongs to one loop's thread.
class Connector {
 public:
  explicit Connector(EventLoop& loop) noexcept;
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;
  /// Hangs up on the dials that are under way, silently.
  ~Connector();

  /// `token`: not 0, at most kMaxDialToken and not in use. `timeout` 0: as long as the kernel
  /// tries.
  /// `server_name`: what is asked for where dials are secured.
  void Dial(DialToken token, const Endpoint& remote, Nanoseconds timeout,
            std::string server_name = {});
  /// Fails a dial before it has begun.
  void Reject(DialToken token, int error) { failed_.push_back({token, error}); }
  /// Fails a dial that is under way with ECANCELED. Harmless when it has had its outcome.
  void Cancel(DialToken token) noexcept;
  void CancelAll() noexcept;

  /// True for the tokens this class gives to the poller.
  [[nodiscard]] static bool Owns(PollToken token) noexcept { return (token & kTokenBit) != 0; }
  /// Takes what the poller reported.
  void OnReady(PollToken token, Ready ready);
  /// Sees to what was reported in this turn.
  void Serve();

  /// True while failures wait for Emit().
  [[nodiscard]] bool has_failed() const noexcept { return !failed_.empty(); }
  /// Tells of failed dials. Returns false when the handler had no room for all.
  bool Emit(LoopHandler& handler);

 private:
  struct Attempt;
  struct Failure {
    DialToken token;
    int error;
  };

  // No connection's slot reaches this bit of the low word.
  static constexpr PollToken kTokenBit = PollToken{1} << 31U;

  [[nodiscard]] Attempt* Find(PollToken token) noexcept;
  void Conclude(Attempt& attempt);
  void Fail(DialToken token, int error);

  EventLoop& loop_;
  std::uint32_t next_generation_ = 0;
  std::unordered_map<DialToken, std::unique_ptr<Attempt>> attempts_;
  std::vector<PollToken> ready_;
  std::vector<Failure> failed_;
};

}  // namespace reactor
