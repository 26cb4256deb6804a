// The one seam between the reactor and the kernel: every system call on a socket, poller, wake-up
// or clock is a static function of `SocketOps`. A test build names another header in
// GEV_SOCKET_OPS_HEADER and gets a mock kernel in its place; the real one is inlined away.
//
// All functions return a result >= 0, or -errno. None of them touches errno's caller.
#pragma once

#ifdef GEV_SOCKET_OPS_HEADER
#include GEV_SOCKET_OPS_HEADER
#else
#include "reactor/kernel_ops.h"

namespace reactor {
using SocketOps = KernelOps;
}  // namespace reactor
#endif
