/*
 * Frames in plain C: each is cut out of what was read, and framed anew behind the replies before
 * it; one send() for all that one read completed. FRAMING in the environment: line, content that
 * ends with '\n' or "\r\n", or length, content behind its number of bytes, 4 in network order.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raw_server.h"

enum { kLengthBytes = 4, kMaxContent = 256 };

/* No reply is longer than its request. */
static char replies[kMaxPartial + kMaxArrived];

static char* append(char* at, const char* bytes, size_t length) {
  memcpy(at, bytes, length);
  return at + length;
}

static int finish(struct answer* answer, const char* replies_end, size_t consumed) {
  answer->bytes = replies;
  answer->length = (size_t)(replies_end - replies);
  answer->consumed = consumed;
  return 1;
}

static int answer_lines(const char* bytes, size_t length, struct answer* answer) {
  const char* at = bytes;
  const char* end = bytes + length;
  char* reply = replies;
  while (at < end) {
    const char* feed = memchr(at, '\n', (size_t)(end - at));
    if (feed == NULL) break;
    const size_t content = (size_t)(feed - at) - (feed > at && feed[-1] == '\r' ? 1 : 0);
    if (content > kMaxContent) return 0;
    reply = append(reply, at, content);
    *reply++ = '\n';
    at = feed + 1;
  }
  if (end - at > kMaxContent + 1) return 0;
  return finish(answer, reply, (size_t)(at - bytes));
}

static int answer_by_length(const char* bytes, size_t length, struct answer* answer) {
  size_t at = 0;
  char* reply = replies;
  while (length - at >= kLengthBytes) {
    const unsigned char* header = (const unsigned char*)bytes + at;
    const uint32_t content = (uint32_t)header[0] << 24 | (uint32_t)header[1] << 16 |
                             (uint32_t)header[2] << 8 | header[3];
    if (content > kMaxContent) return 0;
    if (length - at - kLengthBytes < content) break;
    *reply++ = (char)(content >> 24);
    *reply++ = (char)(content >> 16);
    *reply++ = (char)(content >> 8);
    *reply++ = (char)content;
    reply = append(reply, bytes + at + kLengthBytes, content);
    at += kLengthBytes + content;
  }
  return finish(answer, reply, at);
}

int main(void) {
  const char* framing = getenv("FRAMING");
  if (framing != NULL && strcmp(framing, "line") == 0) return run_server(answer_lines);
  if (framing != NULL && strcmp(framing, "length") == 0) return run_server(answer_by_length);
  fprintf(stderr, "FRAMING: line or length\n");
  return 2;
}
