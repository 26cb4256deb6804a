#include "bridge/large_frames.h"

#include <cstring>
#include <utility>

namespace bridge {

std::optional<std::uint32_t> LargeFrames::Put(std::span<const std::byte> frame) {
  if (!Fits(frame.size())) {
    refused_ = frame.size();
    return std::nullopt;
  }
  refused_ = 0;
  LargeFrame large;
  large.size = frame.size();
  large.bytes = std::make_unique_for_overwrite<std::byte[]>(frame.size());
  std::memcpy(large.bytes.get(), frame.data(), frame.size());
  waiting_.fetch_add(frame.size());
  const std::uint32_t ticket = next_ticket_++;
  const std::scoped_lock lock(mutex_);
  frames_.insert_or_assign(ticket, std::move(large));
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
