#define _GNU_SOURCE
#include "raw_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kBacklog = 4096, kEvents = 512, kAcceptsPerTurn = 64 };

struct connection {
  int socket;
  char* pending; /* not yet taken by the socket: pending[sent..length) */
  size_t sent;
  size_t length;
  char* partial; /* arrived, but not yet answered */
  size_t partial_length;
};

static answer_function* answer_bytes;
static char buffer[kMaxPartial + kMaxArrived];

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static void close_connection(struct connection* connection) {
  close(connection->socket);
  free(connection->pending);
  free(connection->partial);
  free(connection);
}

/* 1: all of it; 0: the socket is full, `*sent` bytes went; -1: lost. */
static int send_bytes(int socket, const char* bytes, size_t length, size_t* sent) {
  while (*sent < length) {
    const ssize_t count = send(socket, bytes + *sent, length - *sent, MSG_NOSIGNAL);
    if (count >= 0) {
      *sent += (size_t)count;
    } else if (errno == EAGAIN) {
      return 0;
    } else if (errno != EINTR) {
      return -1;
    }
  }
  return 1;
}

/* 1: nothing waits any more; 0: still waiting; -1: lost. */
static int flush_pending(struct connection* connection) {
  const int result =
      send_bytes(connection->socket, connection->pending, connection->length, &connection->sent);
  if (result == 1) {
    free(connection->pending);
    connection->pending = NULL;
  }
  return result;
}

/* 1: answered; 0: the rest waits in `pending`; -1: lost. */
static int send_answer(struct connection* connection, const struct answer* answer) {
  size_t sent = 0;
  const int result = send_bytes(connection->socket, answer->bytes, answer->length, &sent);
  if (result != 0) return result;
  connection->length = answer->length - sent;
  connection->sent = 0;
  connection->pending = malloc(connection->length);
  if (connection->pending == NULL) return -1;
  memcpy(connection->pending, answer->bytes + sent, connection->length);
  return 0;
}

/* Keeps what was not consumed for the next call. Returns 0 when it is too long. */
static int keep_partial(struct connection* connection, const char* bytes, size_t length) {
  connection->partial_length = length;
  if (length == 0) return 1;
  if (length > kMaxPartial) return 0;
  if (connection->partial == NULL) connection->partial = malloc(kMaxPartial);
  if (connection->partial == NULL) return 0;
  memcpy(connection->partial, bytes, length);
  return 1;
}

/* The same results as send_answer(), for `arrived` bytes behind the partial ones in the buffer. */
static int answer_arrived(struct connection* connection, size_t arrived) {
  const size_t length = connection->partial_length + arrived;
  struct answer answer = {0};
  if (!answer_bytes(buffer, length, &answer)) return -1;
  if (!keep_partial(connection, buffer + answer.consumed, length - answer.consumed)) return -1;
  return send_answer(connection, &answer);
}

/* Returns 0 when the connection is finished. */
static int serve_connection(struct connection* connection, uint32_t events) {
  const int was_blocked = connection->pending != NULL;
  if (was_blocked) {
    const int flushed = flush_pending(connection);
    if (flushed != 1) return flushed == 0;
  }
  const int hang_up = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (!was_blocked && !hang_up && (events & EPOLLIN) == 0) return 1;
  for (;;) {
    const size_t kept = connection->partial_length;
    if (kept > 0) memcpy(buffer, connection->partial, kept);
    const ssize_t count = recv(connection->socket, buffer + kept, kMaxArrived, 0);
    if (count < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN;
    }
    if (count == 0) return 0;
    const int answered = answer_arrived(connection, (size_t)count);
    if (answered != 1) return answered == 0;
    /* Edge-triggered: a short read has emptied the socket, unless the end of the stream is behind
     * it. */
    if (count < kMaxArrived && !hang_up) return 1;
  }
}

static void accept_connections(int epoll, int listener) {
  for (int accepted = 0; accepted < kAcceptsPerTurn; ++accepted) {
    const int socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) {
      if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return;
      fail("accept4");
    }
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct connection* connection = calloc(1, sizeof(*connection));
    if (connection == NULL) fail("calloc");
    connection->socket = socket;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = connection};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event) != 0) fail("epoll_ctl");
  }
}

static int listen_on_loopback(void) {
  const char* host = getenv("HOST");
  const char* port = getenv("PORT");
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_port = htons((uint16_t)(port != NULL ? strtoul(port, NULL, 10) : 0));
  if (inet_pton(AF_INET, host != NULL ? host : "127.0.0.1", &address.sin_addr) != 1) fail("HOST");
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      bind(listener, (struct sockaddr*)&address, sizeof(address)) != 0 ||
      listen(listener, kBacklog) != 0) {
    fail("listen");
  }
  socklen_t length = sizeof(address);
  if (getsockname(listener, (struct sockaddr*)&address, &length) != 0) fail("getsockname");
  printf("{\"port\":%u}\n", (unsigned)ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}

static void require_cpu(void) {
  const char* wanted = getenv("REQUIRE_CPU");
  if (wanted == NULL) return;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) fail("sched_getaffinity");
  if (CPU_COUNT(&allowed) != 1 || !CPU_ISSET(strtoul(wanted, NULL, 10), &allowed)) {
    fprintf(stderr, "not pinned to core %s alone\n", wanted);
    exit(1);
  }
}

static void raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) fail("setrlimit");
}

int run_server(answer_function* function) {
  answer_bytes = function;
  require_cpu();
  raise_descriptor_limit();
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) fail("epoll_create1");
  int listener = listen_on_loopback();
  /* Level-triggered: the rest of a burst is found in the next turn. */
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0) fail("epoll_ctl");
  if (getenv("EXIT_WITH_STDIN") != NULL) {
    struct epoll_event end = {.events = EPOLLRDHUP, .data.ptr = NULL};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &end) != 0) fail("stdin");
  }

  static struct epoll_event events[kEvents];
  for (;;) {
    const int count = epoll_wait(epoll, events, kEvents, -1);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int index = 0; index < count; ++index) {
      void* who = events[index].data.ptr;
      if (who == NULL) return 0;
      if (who == &listener) {
        accept_connections(epoll, listener);
      } else if (!serve_connection(who, events[index].events)) {
        close_connection(who);
      }
    }
  }
}
