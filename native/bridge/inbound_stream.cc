#include "bridge/inbound_stream.h"

#include <cassert>
#include <cstring>
#include <utility>

namespace bridge {

InboundStream::InboundStream(std::vector<std::byte*> slabs)
    : slabs_(std::move(slabs)), owners_(slabs_.size()) {
  for (std::size_t i = 0; i < slabs_.size(); ++i) free_.Push(static_cast<std::int32_t>(i));
}

bool InboundStream::Reserve(std::size_t bytes) noexcept {
  if (open_ >= 0) {
    if (count_ < kDescriptorCapacity && kSlabSize - data_end_ >= bytes) return true;
    owners_.Pass(open_, SlabOwner::kLoop, SlabOwner::kReadyRing);
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
  owners_.Pass(open_, SlabOwner::kFreeRing, SlabOwner::kLoop);
  StoreWord(slabs_[static_cast<std::size_t>(open_)], 0);
  return true;
}

void InboundStream::Append(const EventDescriptor& descriptor) noexcept {
  assert(loop_.IsCurrent());
  assert(open_ >= 0 && count_ < kDescriptorCapacity);
  assert(std::size_t{descriptor.offset} + descriptor.length <= kSlabSize ||
         descriptor.kind == EventKind::kLarge);
  std::byte* const slab = slabs_[static_cast<std::size_t>(open_)];
  std::memcpy(slab + kSlabHeader + count_ * kDescriptorSize, &descriptor, sizeof descriptor);
  ++count_;
  StoreWord(slab, static_cast<std::int32_t>(count_));
}

std::uint32_t InboundStream::CopyData(std::span<const std::byte> bytes) noexcept {
  assert(bytes.size() <= Room().size());
  const std::uint32_t offset = data_end();
  if (!bytes.empty()) std::memcpy(Room().data(), bytes.data(), bytes.size());
  TakeData(bytes.size());
  return offset;
}

std::int32_t InboundStream::Take() {
  assert(javascript_.Claim());
  const std::int32_t ready = TakeReady();
  if (ready >= 0) return ready;
  const std::unique_lock lock(open_mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return -1;
  // The loop may have queued its slab between the two looks: order before speed.
  const std::int32_t queued = TakeReady();
  if (queued >= 0) return queued;
  if (open_ < 0 || count_ == 0) return -1;
  count_ = 0;
  owners_.Pass(open_, SlabOwner::kLoop, SlabOwner::kJavaScript);
  return std::exchange(open_, -1);
}

std::int32_t InboundStream::TakeReady() noexcept {
  const std::int32_t slab = ready_.Pop();
  if (slab >= 0) owners_.Pass(slab, SlabOwner::kReadyRing, SlabOwner::kJavaScript);
  return slab;
}

bool InboundStream::Release(std::int32_t slab) noexcept {
  assert(javascript_.Claim());
  owners_.Pass(slab, SlabOwner::kJavaScript, SlabOwner::kFreeRing);
  free_.Push(slab);
  return starving_.exchange(false);
}

}  // namespace bridge
