#ifndef GEV_BENCH_RAW_SERVER_H_
#define GEV_BENCH_RAW_SERVER_H_

#include <stddef.h>

/* What is sent for bytes that have arrived. */
struct answer {
  const char* bytes; /* valid until the next call; may be the request's own */
  size_t length;
  size_t consumed; /* of the bytes that have arrived; the rest comes again, with more behind it */
};

/* Composes the answer to `bytes[0..length)` of one connection. Returns 0 to close it. At most
 * kMaxPartial bytes may be left unconsumed. */
typedef int answer_function(const char* bytes, size_t length, struct answer* answer);

enum { kMaxArrived = 64 << 10, kMaxPartial = 512 };

/*
 * A server in plain C on one thread, as little as Linux allows: the yardstick. Edge-triggered
 * epoll, all directions registered once, recv() then send() of the answer; what the socket does not
 * take waits in a buffer of the connection, and that connection is not read until it is gone.
 *
 * Environment: HOST (127.0.0.1), PORT (0: any), REQUIRE_CPU (fail unless pinned to exactly this
 * core), EXIT_WITH_STDIN (end when stdin is closed). Prints {"port":N} when it listens.
 *
 * Returns the exit code.
 */
int run_server(answer_function* answer_bytes);

#endif /* GEV_BENCH_RAW_SERVER_H_ */
