// The platform's poller, chosen here and nowhere else.
#pragma once

#if defined(__linux__) && !defined(GEV_POLLER_KQUEUE)
#include "reactor/poller/epoll_poller.h"
namespace reactor {
using Poller = EpollPoller;
}  // namespace reactor
#else
#include "reactor/poller/kqueue_poller.h"
namespace reactor {
using Poller = KqueuePoller;
}  // namespace reactor
#endif
