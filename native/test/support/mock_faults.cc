#include "test/support/mock_faults.h"

#include <cerrno>

namespace test {

int RandomFaults::ErrorFor(Call call) {
  const bool moves = call == Call::kReceive || call == Call::kSend;
  const bool accepts = call == Call::kAccept;
  if (!moves && !accepts && call != Call::kEpollWait) return 0;
  if (Chance(rates_.interrupted)) return EINTR;
  if (moves && Chance(rates_.would_block)) return EAGAIN;
  if ((moves || accepts) && Chance(rates_.no_memory)) return random_() % 2 == 0 ? ENOBUFS : ENOMEM;
  if (accepts && Chance(rates_.no_descriptor)) return random_() % 2 == 0 ? EMFILE : ENFILE;
  if (accepts && Chance(rates_.aborted)) return ECONNABORTED;
  if (moves && Chance(rates_.broken)) return call == Call::kSend ? EPIPE : ECONNRESET;
  return 0;
}

std::size_t RandomFaults::Limit(Call /*call*/, std::size_t size) {
  return Chance(rates_.short_io) ? 1 + random_() % size : size;
}

}  // namespace test
