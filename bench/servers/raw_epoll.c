/* An echo server in plain C: raw_server.h with the bytes themselves for an answer. */
#include "raw_server.h"

static int echo(const char* bytes, size_t length, struct answer* answer) {
  answer->bytes = bytes;
  answer->length = length;
  answer->consumed = length;
  return 1;
}

int main(void) { return run_server(echo); }
