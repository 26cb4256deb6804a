#include "reactor/poller/kqueue_poller.h"

#include "reactor/error.h"

namespace reactor {
namespace {

constexpr std::uintptr_t kWakeupIdent = 0;

static_assert(sizeof(void*) >= sizeof(PollToken), "a token travels in kevent's udata");

struct kevent Change(std::uintptr_t ident, short filter, int flags, unsigned fflags,
                     PollToken token) noexcept {
  struct kevent change{};
  EV_SET(&change, ident, filter, static_cast<unsigned short>(flags), fflags, 0,
         reinterpret_cast<void*>(static_cast<std::uintptr_t>(token)));
  return change;
}

}  // namespace

KqueuePoller::KqueuePoller() : kqueue_(ThrowIfFailed(SocketOps::Kqueue(), "kqueue")) {
  const auto change = Change(kWakeupIdent, EVFILT_USER, EV_ADD | EV_CLEAR, 0, kWakeupToken);
  ThrowIfFailed(SocketOps::Kevent(kqueue_.get(), &change, 1, nullptr, 0, nullptr), "kevent");
}

int KqueuePoller::Add(int fd, PollToken token) noexcept {
  const auto ident = static_cast<std::uintptr_t>(fd);
  const std::array changes{Change(ident, EVFILT_READ, EV_ADD | EV_CLEAR, 0, token),
                           Change(ident, EVFILT_WRITE, EV_ADD | EV_CLEAR, 0, token)};
  // A listening socket has no write side: the failure of the second change alone is fine.
  const int result = SocketOps::Kevent(kqueue_.get(), changes.data(), 1, nullptr, 0, nullptr);
  if (result < 0) return result;
  SocketOps::Kevent(kqueue_.get(), &changes[1], 1, nullptr, 0, nullptr);
  return 0;
}

void KqueuePoller::Remove(int fd) noexcept {
  for (const short filter : {EVFILT_READ, EVFILT_WRITE}) {
    const auto change = Change(static_cast<std::uintptr_t>(fd), filter, EV_DELETE, 0, 0);
    SocketOps::Kevent(kqueue_.get(), &change, 1, nullptr, 0, nullptr);
  }
}

int KqueuePoller::WaitForEvents(int timeout_ms) noexcept {
  timespec limit{};
  limit.tv_sec = timeout_ms / 1000;
  limit.tv_nsec = static_cast<long>(timeout_ms % 1000) * 1'000'000;
  return SocketOps::Kevent(kqueue_.get(), nullptr, 0, events_.data(),
                           static_cast<int>(events_.size()), timeout_ms < 0 ? nullptr : &limit);
}

void KqueuePoller::Wakeup() noexcept {
  const auto change = Change(kWakeupIdent, EVFILT_USER, 0, NOTE_TRIGGER, kWakeupToken);
  SocketOps::Kevent(kqueue_.get(), &change, 1, nullptr, 0, nullptr);
}

}  // namespace reactor
