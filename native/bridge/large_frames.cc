#include "bridge/large_frames.h"

#include <utility>

namespace bridge {

std::uint32_t LargeFrames::Put(LargeFrame frame) {
  const std::size_t size = frame.size;
  const std::uint32_t ticket = next_ticket_++;
  const std::scoped_lock lock(mutex_);
  frames_.insert_or_assign(ticket, std::move(frame));
  waiting_.fetch_add(size);
  return ticket;
}

LargeFrame LargeFrames::Take(std::uint32_t ticket) {
  LargeFrame frame;
  {
    const std::scoped_lock lock(mutex_);
    const auto node = frames_.extract(ticket);
    if (node.empty()) return frame;
    frame = std::move(node.mapped());
  }
  waiting_.fetch_sub(frame.size);
  return frame;
}

}  // namespace bridge
