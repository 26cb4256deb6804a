#include "bridge/inbound_stream.h"

#include <cstring>
#include <utility>

namespace bridge {

InboundStream::InboundStream(std::vector<std::byte*> slabs) : slabs_(std::move(slabs)) {
  for (std::size_t i = 0; i < slabs_.size(); ++i) free_.Push(static_cast<std::int32_t>(i));
}

bool InboundStream::Reserve(std::size_t bytes) noexcept {
  if (open_ >= 0) {
    if (count_ < kDescriptorCapacity && kSlabSize - data_end_ >= bytes) return true;
    ready_.Push(std::exchange(open_, -1));  // never full: it holds every slab there is
  }
  open_ = free_.Pop();
  count_ = 0;
  data_end_ = kInboundData;
  out_of_room_ = open_ < 0;
  if (out_of_room_) {
    starving_.store(true);
    return false;
  }
  StoreWord(slabs_[static_cast<std::size_t>(open_)], 0);
  return true;
}

void InboundStream::Append(const Descriptor& descriptor) noexcept {
  std::byte* const slab = slabs_[static_cast<std::size_t>(open_)];
  std::memcpy(slab + kSlabHeader + count_ * kDescriptorSize, &descriptor, sizeof descriptor);
  ++count_;
  StoreWord(slab, static_cast<std::int32_t>(count_));
}

std::uint32_t InboundStream::CopyData(std::span<const std::byte> bytes) noexcept {
  const std::uint32_t offset = data_end();
  if (!bytes.empty()) std::memcpy(Room().data(), bytes.data(), bytes.size());
  TakeData(bytes.size());
  return offset;
}

std::int32_t InboundStream::Take() {
  const std::int32_t ready = ready_.Pop();
  if (ready >= 0) return ready;
  const std::unique_lock lock(open_mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return -1;
  // The loop may have queued its slab between the two looks: order before speed.
  const std::int32_t queued = ready_.Pop();
  if (queued >= 0) return queued;
  if (open_ < 0 || count_ == 0) return -1;
  count_ = 0;
  return std::exchange(open_, -1);
}

bool InboundStream::Release(std::int32_t slab) noexcept {
  free_.Push(slab);
  return starving_.exchange(false);
}

}  // namespace bridge
