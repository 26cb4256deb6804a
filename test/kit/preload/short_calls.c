// For LD_PRELOAD: every call that moves bytes of a socket moves fewer than it could. SHORT_CALLS is the seed.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { kMost = 4096 };

static size_t shortened(size_t size) {
  static _Thread_local uint64_t state;
  if (state == 0) {
    const char* seed = getenv("SHORT_CALLS");
    state = 2 * strtoull(seed == NULL ? "1" : seed, NULL, 10) + 1;
  }
  state = state * 6364136223846793005u + 1442695040888963407u;
  const size_t most = size < kMost ? size : kMost;
  return most < 2 ? most : 1 + (size_t)(state >> 33) % (most - 1);
}

/// The beginning of what `from` describes, of which `part` is changed.
static struct msghdr first_part(const struct msghdr* from, struct iovec* part) {
  struct msghdr out = *from;
  for (size_t i = 0; i < from->msg_iovlen; i++) {
    *part = from->msg_iov[i];
    if (part->iov_len > 0) break;
  }
  part->iov_len = shortened(part->iov_len);
  out.msg_iov = part;
  out.msg_iovlen = 1;
  return out;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t recv(int fd, void* buffer, size_t size, int flags) {
  return NEXT(recv)(fd, buffer, shortened(size), flags);
}

ssize_t send(int fd, const void* data, size_t size, int flags) {
  return NEXT(send)(fd, data, shortened(size), flags);
}

ssize_t recvmsg(int fd, struct msghdr* message, int flags) {
  if (message->msg_iovlen == 0) return NEXT(recvmsg)(fd, message, flags);
  struct iovec part;
  struct msghdr whole = *message;
  *message = first_part(&whole, &part);
  const ssize_t result = NEXT(recvmsg)(fd, message, flags);
  message->msg_iov = whole.msg_iov;
  message->msg_iovlen = whole.msg_iovlen;
  return result;
}

ssize_t sendmsg(int fd, const struct msghdr* message, int flags) {
  if (message->msg_iovlen == 0) return NEXT(sendmsg)(fd, message, flags);
  struct iovec part;
  const struct msghdr cut = first_part(message, &part);
  return NEXT(sendmsg)(fd, &cut, flags);
}
