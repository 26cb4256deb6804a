/*
 * Sums in plain C, in Nest's wire format: what the kernel gives when all the rest costs next to
 * nothing. It knows one request and no JSON: it looks for the numbers behind "data" and for the id,
 * and answers {"response":15,"isDisposed":true,"id":"…"}.
 */
#define _GNU_SOURCE
#include <string.h>

#include "raw_server.h"

enum { kMaxIdBytes = 64, kMaxPrefixBytes = 4, kMaxReplyBytes = 160, kMinRequestBytes = 18 };

static const char kData[] = "\"data\":[";
static const char kId[] = "\"id\":\"";
static const char kBeforeSum[] = "{\"response\":";
static const char kBeforeId[] = ",\"isDisposed\":true,\"id\":\"";
static const char kAfterId[] = "\"}";

/* As many replies as requests fit into what is answered at once. */
static char replies[(kMaxPartial + kMaxArrived) / kMinRequestBytes * kMaxReplyBytes];

#define LENGTH_OF(literal) (sizeof(literal) - 1)
#define FIND(text, length, literal) memmem(text, length, literal, LENGTH_OF(literal))
#define APPEND(at, literal) append(at, literal, LENGTH_OF(literal))

static char* append(char* at, const char* text, size_t length) {
  memcpy(at, text, length);
  return at + length;
}

static char* append_number(char* at, unsigned number) {
  char digits[16];
  size_t first = sizeof(digits);
  do {
    digits[--first] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  return append(at, digits + first, sizeof(digits) - first);
}

/* Reads digits; `*at` then points behind them. */
static unsigned read_number(const char** at, const char* end) {
  unsigned number = 0;
  for (; *at < end && **at >= '0' && **at <= '9'; ++*at) {
    number = number * 10 + (unsigned)(**at - '0');
  }
  return number;
}

static unsigned add_up(const char* at, const char* end) {
  unsigned sum = read_number(&at, end);
  while (at < end && *at == ',') {
    ++at;
    sum += read_number(&at, end);
  }
  return sum;
}

/* Appends the reply to one request. Returns its end, NULL when the request is malformed. */
static char* append_reply(char* at, const char* json, size_t length) {
  const char* end = json + length;
  const char* data = FIND(json, length, kData);
  const char* id = FIND(json, length, kId);
  if (data == NULL || id == NULL) return NULL;
  id += LENGTH_OF(kId);
  const char* quote = memchr(id, '"', (size_t)(end - id));
  if (quote == NULL || quote - id > kMaxIdBytes) return NULL;
  const size_t id_length = (size_t)(quote - id);

  char sum[16];
  const size_t digits = (size_t)(append_number(sum, add_up(data + LENGTH_OF(kData), end)) - sum);
  at = append_number(at, (unsigned)(LENGTH_OF(kBeforeSum) + digits + LENGTH_OF(kBeforeId) +
                                    id_length + LENGTH_OF(kAfterId)));
  *at++ = '#';
  at = APPEND(at, kBeforeSum);
  at = append(at, sum, digits);
  at = APPEND(at, kBeforeId);
  at = append(at, id, id_length);
  return APPEND(at, kAfterId);
}

static int answer_requests(const char* bytes, size_t length, struct answer* answer) {
  const char* at = bytes;
  const char* end = bytes + length;
  char* reply = replies;
  while (at < end) {
    const char* json = at;
    const size_t json_length = read_number(&json, end);
    if (json == end && end - at <= kMaxPrefixBytes) break;
    if (json == at || json - at > kMaxPrefixBytes || *json != '#') return 0;
    ++json;
    if ((size_t)(end - json) < json_length) break;
    reply = append_reply(reply, json, json_length);
    if (reply == NULL) return 0;
    at = json + json_length;
  }
  answer->bytes = replies;
  answer->length = (size_t)(reply - replies);
  answer->consumed = (size_t)(at - bytes);
  return 1;
}

int main(void) { return run_server(answer_requests); }
