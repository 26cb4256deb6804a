#include "reactor/partial_frames.h"

#include "reactor/connection.h"

namespace reactor {

ConnectionLink& PartialFrames::LinkOf(Connection& connection) noexcept {
  return connection.partial_link_;
}

void PartialFrames::Update(Connection& connection, std::size_t before,
                           const KeptInput& now) noexcept {
  bytes_ = bytes_ - before + now.bytes;
  const bool linked = LinkOf(connection).linked;
  if (linked && (now.begun || !now.incomplete)) incomplete_.Remove(connection);
  if (now.incomplete && (now.begun || !linked)) incomplete_.Append(connection);
}

}  // namespace reactor
