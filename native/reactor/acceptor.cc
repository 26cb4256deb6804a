#include "reactor/acceptor.h"

#include <cerrno>
#include <utility>

#include "reactor/error.h"
#include "reactor/event_loop.h"

namespace reactor {
namespace {

constexpr int kAcceptsATurn = 128;
constexpr int kFinalAccepts = 65536;
constexpr int kShedsATry = 256;
constexpr Nanoseconds kAcceptRetryDelay = FromMilliseconds(100);

/// Whether accept(2) failed for the sake of one client, who is gone with it: an error that waited
/// on the new socket, or a firewall. The next one may well be accepted.
bool IsOfOneClient(int error) noexcept {
  switch (error) {
    case ECONNABORTED:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENETUNREACH:
#ifdef ENONET
    case ENONET:
#endif
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPERM:
    case EPROTO:
    case EPROTONOSUPPORT:
    case ESOCKTNOSUPPORT:
    case ETIMEDOUT:
      return true;
    default:
      return false;
  }
}

}  // namespace

Acceptor::Acceptor(EventLoop& loop, PollToken token, FileDescriptor listener, SocketFile file,
                   Callback on_accept)
    : loop_(loop),
      listener_(std::move(listener)),
      file_(std::move(file)),
      spare_(SocketOps::OpenSpare()),
      on_accept_(std::move(on_accept)) {
  retry_.target = this;
  ThrowIfFailed(loop_.poller().Add(listener_.get(), token), "poller");
  ready_ = true;  // connections may have come before the registration
}

Acceptor::~Acceptor() { loop_.wheel().Cancel(retry_); }

bool Acceptor::Serve() {
  for (int i = 0; ready_ && i < kAcceptsATurn; ++i) {
    if (!AcceptOne()) ready_ = false;
  }
  return ready_;
}

void Acceptor::AcceptRestAndClose() {
  file_.Remove();
  for (int i = 0; i < kFinalAccepts && listener_.valid() && AcceptOne(); ++i) continue;
  loop_.wheel().Cancel(retry_);
  ready_ = false;
  listener_.Reset();
}

// True while another connection may be waiting.
bool Acceptor::AcceptOne() {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  const int fd = SocketOps::Accept(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length);
  if (fd >= 0) {
    failed_in_a_row_ = 0;
    on_accept_(FileDescriptor(fd), Endpoint(address, length));
    return true;
  }
  switch (-fd) {
    case EAGAIN:
      return false;
    case EINTR:
      return true;
    default:
      break;
  }
  if (IsOfOneClient(-fd) && ++failed_in_a_row_ < kAcceptsATurn) return true;
  OnExhausted(-fd);
  return false;
}

// Without a free descriptor a client would wait in the backlog for ever and the poller would not
// say so again: free the spare one, use it to hang up on those who wait, and try later.
void Acceptor::OnExhausted(int error) {
  failed_in_a_row_ = 0;
  loop_.ReportFailure(LoopFailure::kAccept, error);
  if (error == EMFILE && spare_.valid()) {
    spare_.Reset();
    for (int i = 0; i < kShedsATry; ++i) {
      const int fd = SocketOps::Accept(listener_.get(), nullptr, nullptr);
      if (fd == -EINTR || IsOfOneClient(-fd)) continue;
      if (fd < 0) break;
      FileDescriptor(fd).Reset();
      loop_.CountShed();
    }
  }
  if (!spare_.valid()) spare_ = FileDescriptor(SocketOps::OpenSpare());
  loop_.ArmTimer(retry_, loop_.now() + kAcceptRetryDelay);
}

void Acceptor::OnDeadline() { ready_ = true; }

}  // namespace reactor
