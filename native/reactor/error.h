// errno values as C++ errors. Set-up throws std::system_error; the hot path returns -errno.
#pragma once

#include <sys/types.h>

#include <string>

namespace reactor {

/// Throws std::system_error for `result` (a negative errno) from the system call `what`.
[[noreturn]] void ThrowSystemError(int result, const std::string& what);

/// Returns `result`, or throws when it is a negative errno.
int ThrowIfFailed(int result, const char* what);

/// True when a call that returned this is to be made again once the poller says so.
bool WouldBlock(ssize_t result) noexcept;

/// True for what a vanished peer causes: ECONNRESET, EPIPE, ETIMEDOUT, unreachable networks…
bool IsPeerFailure(int error) noexcept;

/// True when descriptors or kernel memory ran out: worth a pause, not an end.
bool IsExhaustion(int error) noexcept;

}  // namespace reactor
