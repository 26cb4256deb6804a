#include "bridge/mailbox.h"

#include <cassert>
#include <cstring>

namespace bridge {

Mailbox::Mailbox(std::vector<std::byte*> slabs)
    : slabs_(std::move(slabs)),
      owners_(slabs_.size()),
      staging_(static_cast<std::int32_t>(slabs_.size()) - 1) {
  for (std::int32_t i = 0; i < staging_; ++i) free_.Push(i);
  OpenNext();
}

void Mailbox::OpenNext() noexcept {
  open_ = free_.Pop();
  if (open_ >= 0) {
    owners_.Pass(open_, SlabOwner::kFreeRing, SlabOwner::kJavaScript);
  } else {
    open_ = staging_;  // never travels: JavaScript's for ever
  }
  StoreWord(slabs_[static_cast<std::size_t>(open_)], static_cast<std::int32_t>(kSlabHeader));
}

bool Mailbox::Publish() {
  assert(javascript_.Claim());
  const std::span<const std::byte> records = RecordsOf(slabs_[static_cast<std::size_t>(open_)]);
  if (records.empty()) return false;
  if (open_ == staging_) {
    Spill spill{published_, records.size(),
                std::make_unique_for_overwrite<std::byte[]>(records.size())};
    std::memcpy(spill.bytes.get(), records.data(), records.size());
    if (budget_ != nullptr) budget_->Add(static_cast<std::ptrdiff_t>(records.size()));
    const std::scoped_lock lock(spilled_mutex_);
    spilled_.push_back(std::move(spill));
    spilled_count_.store(spilled_.size());
  } else {
    ++published_;
    owners_.Pass(open_, SlabOwner::kJavaScript, SlabOwner::kReadyRing);
    ready_.Push(open_);  // never full: it holds every slab there is
  }
  OpenNext();
  return true;
}

// The oldest spill, if every slab published before it has been consumed.
Mailbox::Spill Mailbox::TakeSpill() {
  const std::scoped_lock lock(spilled_mutex_);
  if (spilled_.empty() || spilled_.front().after != consumed_) return {};
  Spill spill = std::move(spilled_.front());
  spilled_.pop_front();
  spilled_count_.store(spilled_.size());
  if (budget_ != nullptr) budget_->Add(-static_cast<std::ptrdiff_t>(spill.size));
  return spill;
}

}  // namespace bridge
