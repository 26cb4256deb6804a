#include "reactor/poller/epoll_poller.h"

#include "reactor/error.h"

namespace reactor {
namespace {

epoll_event EdgeTriggered(PollToken token) noexcept {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
  event.data.u64 = token;
  return event;
}

}  // namespace

EpollPoller::EpollPoller()
    : epoll_(ThrowIfFailed(SocketOps::EpollCreate(), "epoll_create1")),
      wakeup_(ThrowIfFailed(SocketOps::EventFd(), "eventfd")) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeupToken;
  ThrowIfFailed(SocketOps::EpollControl(epoll_.get(), EPOLL_CTL_ADD, wakeup_.get(), &event),
                "epoll_ctl");
}

int EpollPoller::Add(int fd, PollToken token) noexcept {
  epoll_event event = EdgeTriggered(token);
  return SocketOps::EpollControl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

int EpollPoller::Rearm(int fd, PollToken token) noexcept {
  epoll_event event = EdgeTriggered(token);
  return SocketOps::EpollControl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void EpollPoller::Remove(int fd) noexcept {
  epoll_event unused{};
  SocketOps::EpollControl(epoll_.get(), EPOLL_CTL_DEL, fd, &unused);
}

void EpollPoller::Wakeup() noexcept { SocketOps::SignalEventFd(wakeup_.get()); }

}  // namespace reactor
