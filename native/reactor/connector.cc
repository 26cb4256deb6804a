#include "reactor/connector.h"

#include <cerrno>
#include <utility>

#include "reactor/event_loop.h"
#include "reactor/ledger.h"
#include "reactor/secure_step.h"

namespace reactor {
namespace {

int TakeError(int fd) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  const int result = SocketOps::GetOption(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return result < 0 ? -result : error;
}

// Nobody listens, but the kernel chose the very port that was dialled for this end: TCP then
// connects the socket to itself.
bool IsSelfConnected(int fd, const Endpoint& remote) {
  if (remote.is_unix()) return false;
  const Endpoint local = Endpoint::LocalOf(fd);
  return local.port() == remote.port() && local.host() == Endpoint::RemoteOf(fd).host();
}

}  // namespace

/// One socket on its way to being connected. Its address is kept by the wheel.
struct Connector::Attempt final : TimerTarget {
  Attempt(Connector& owner, DialToken dial_token, std::uint32_t dial_generation, FileDescriptor fd,
          const Endpoint& to, std::string name) noexcept
      : connector(owner),
        token(dial_token),
        generation(dial_generation),
        socket(std::move(fd)),
        remote(to),
        server_name(std::move(name)) {
    deadline.target = this;
  }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
  ~Attempt() { connector.loop_.wheel().Cancel(deadline); }

  void OnDeadline() override { connector.Fail(token, ETIMEDOUT); }

  Connector& connector;
  DialToken token;
  std::uint32_t generation;
  FileDescriptor socket;
  Endpoint remote;
  std::string server_name;
  TimerNode deadline;
  [[no_unique_address]] Held<Asset::kDial> held;
};

Connector::Connector(EventLoop& loop) noexcept : loop_(loop) {}
Connector::~Connector() = default;

void Connector::Dial(DialToken token, const Endpoint& remote, Nanoseconds timeout,
                     std::string server_name) {
  const int fd = SocketOps::Socket(remote.family());
  if (fd < 0) return Reject(token, -fd);
  FileDescriptor socket(fd);
  // Before the handshake, which tells the peer how large the receive buffer is.
  ApplyOptions(fd, remote.family(), loop_.options().socket);
  const int result = SocketOps::Connect(fd, remote.data(), remote.length());
  // Whether it is under way or done already, the poller reports it.
  if (result < 0 && result != -EINPROGRESS && result != -EINTR) return Reject(token, -result);
  const std::uint32_t generation = next_generation_++;
  const int added = loop_.poller().Add(fd, PollToken{generation} << 32U | kTokenBit | token);
  if (added < 0) return Reject(token, -added);
  auto attempt = std::make_unique<Attempt>(*this, token, generation, std::move(socket), remote,
                                           std::move(server_name));
  if (timeout != 0) loop_.ArmTimer(attempt->deadline, MonotonicNow() + timeout);
  attempts_.insert_or_assign(token, std::move(attempt));
}

void Connector::Cancel(DialToken token) noexcept {
  if (attempts_.contains(token)) Fail(token, ECANCELED);
}

void Connector::CancelAll() noexcept {
  while (!attempts_.empty()) Fail(attempts_.begin()->first, ECANCELED);
}

void Connector::OnReady(PollToken token, Ready ready) {
  if (Has(ready, Ready::kWrite) || Has(ready, Ready::kHangup)) ready_.push_back(token);
}

void Connector::Serve() {
  for (const PollToken token : ready_) {
    Attempt* const attempt = Find(token);
    if (attempt != nullptr) Conclude(*attempt);  // else reported twice, or cancelled meanwhile
  }
  ready_.clear();
}

Connector::Attempt* Connector::Find(PollToken token) noexcept {
  const auto it = attempts_.find(static_cast<DialToken>(token) & kMaxDialToken);
  if (it == attempts_.end()) return nullptr;
  return it->second->generation == token >> 32U ? it->second.get() : nullptr;
}

void Connector::Conclude(Attempt& attempt) {
  const DialToken token = attempt.token;
  const int fd = attempt.socket.get();
  if (const int error = TakeError(fd)) return Fail(token, error);
  if (IsSelfConnected(fd, attempt.remote)) return Fail(token, ECONNREFUSED);
  Arrival arrival{.socket = std::move(attempt.socket), .remote = attempt.remote, .dial = token};
  if (const auto& security = loop_.options().dial_security) {
    arrival.preface = std::make_unique<Preface>();
    arrival.preface->Add(std::make_unique<SecureStep>(security, std::move(attempt.server_name)));
  }
  const bool adopted = loop_.Adopt(std::move(arrival)) != nullptr;
  attempts_.erase(token);
  if (!adopted) Reject(token, ENOBUFS);
}

void Connector::Fail(DialToken token, int error) {
  attempts_.erase(token);
  failed_.push_back({token, error});
}

bool Connector::Emit(LoopHandler& handler) {
  std::size_t done = 0;
  while (done < failed_.size() && handler.OnDialFailed(failed_[done].token, failed_[done].error)) {
    ++done;
  }
  failed_.erase(failed_.begin(), failed_.begin() + static_cast<std::ptrdiff_t>(done));
  return failed_.empty();
}

}  // namespace reactor
