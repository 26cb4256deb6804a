#include "reactor/error.h"

#include <cerrno>
#include <system_error>

namespace reactor {

void ThrowSystemError(int result, const std::string& what) {
  throw std::system_error(-result, std::generic_category(), what);
}

int ThrowIfFailed(int result, const char* what) {
  if (result < 0) ThrowSystemError(result, what);
  return result;
}

bool WouldBlock(ssize_t result) noexcept { return result == -EAGAIN || result == -EWOULDBLOCK; }

bool IsPeerFailure(int error) noexcept {
  switch (error) {
    case ECONNRESET:
    case EPIPE:
    case ETIMEDOUT:
    case ECONNABORTED:
    case ENOTCONN:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
      return true;
    default:
      return false;
  }
}

bool IsExhaustion(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace reactor
