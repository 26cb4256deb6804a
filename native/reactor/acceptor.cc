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

}  // namespace

Acceptor::Acceptor(EventLoop& loop, Descriptor listener, SocketFile file, Callback on_accept)
    : loop_(loop),
      listener_(std::move(listener)),
      file_(std::move(file)),
      spare_(SocketOps::OpenSpare()),
      on_accept_(std::move(on_accept)) {
  retry_.target = this;
  ThrowIfFailed(loop_.poller().Add(listener_.get(), EventLoop::kListenerToken), "poller");
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
    on_accept_(Descriptor(fd), Endpoint(address, length));
    return true;
  }
  switch (-fd) {
    case EAGAIN:
      return false;
    case EINTR:
    case ECONNABORTED:  // gone before it was accepted
    case EPROTO:
      return true;
    default:
      OnExhausted(-fd);
      return false;
  }
}

// Without a free descriptor a client would wait in the backlog for ever and the poller would not
// say so again: free the spare one, use it to hang up on those who wait, and try later.
void Acceptor::OnExhausted(int error) {
  loop_.ReportFailure(LoopFailure::kAccept, error);
  if (error == EMFILE && spare_.valid()) {
    spare_.Reset();
    for (int i = 0; i < kShedsATry; ++i) {
      const int fd = SocketOps::Accept(listener_.get(), nullptr, nullptr);
      if (fd == -EINTR || fd == -ECONNABORTED) continue;
      if (fd < 0) break;
      Descriptor(fd).Reset();
      loop_.CountShed();
    }
  }
  if (!spare_.valid()) spare_ = Descriptor(SocketOps::OpenSpare());
  loop_.ArmTimer(retry_, loop_.now() + kAcceptRetryDelay);
}

void Acceptor::OnDeadline() { ready_ = true; }

}  // namespace reactor
