#pragma once

#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "bridge/slab.h"
#include "bridge/slab_owners.h"
#include "bridge/spsc_ring.h"
#include "reactor/thread_check.h"

namespace bridge {

/// The ordered event stream from one loop to JavaScript, written into slabs.
///
/// The loop fills its open slab for as long as JavaScript is busy; full slabs queue in a ring.
/// JavaScript takes queued slabs first and, when there is none, the open one (try-lock): batches
/// grow by themselves under load, without a timer and without added delay.
class InboundStream {
 public:
  static constexpr std::size_t kMaxSlabs = 16;

  /// `slabs` (2 to kMaxSlabs, kSlabSize each) must outlive the stream.
  explicit InboundStream(std::vector<std::byte*> slabs);

  // --- the loop's thread; Append and the data calls between Lock() and Unlock() ------------------

  void Lock() {
    assert(loop_.Claim());
    open_mutex_.lock();
  }
  void Unlock() { open_mutex_.unlock(); }
  /// False after room ran out and until a slab came back.
  [[nodiscard]] bool HasRoom() const noexcept { return !out_of_room_ || !free_.Empty(); }
  /// The loop waits for something else that JavaScript frees as it reads: have the next Release()
  /// wake it.
  void AwaitRelease() noexcept { starving_.store(true); }
  /// Makes sure that one descriptor and `bytes` (<= kMaxData) fit. False: no slab is free.
  bool Reserve(std::size_t bytes) noexcept;
  /// Writes a descriptor; Reserve() came before.
  void Append(const EventDescriptor& descriptor) noexcept;
  /// Descriptors the open slab still takes.
  [[nodiscard]] std::size_t DescriptorsLeft() const noexcept {
    return kDescriptorCapacity - count_;
  }
  /// Free data of the open slab; Reserve() came before.
  [[nodiscard]] std::span<std::byte> Room() const noexcept {
    return {slabs_[static_cast<std::size_t>(open_)] + data_end_, kSlabSize - data_end_};
  }
  [[nodiscard]] std::uint32_t data_end() const noexcept {
    return static_cast<std::uint32_t>(data_end_);
  }
  void TakeData(std::size_t bytes) noexcept { data_end_ += bytes; }
  /// Copies `bytes` into the slab (reserved before) and returns their offset.
  std::uint32_t CopyData(std::span<const std::byte> bytes) noexcept;
  /// True when JavaScript has something to take.
  [[nodiscard]] bool HasEvents() const noexcept { return count_ > 0 || !ready_.Empty(); }

  // --- JavaScript's thread -----------------------------------------------------------------------

  /// The next slab to read, now JavaScript's; -1 when there is none. A slab the loop is writing at
  /// this moment does not count: the loop rings once more when it is done.
  std::int32_t Take();
  /// Gives a slab back. True when the loop waits for one and must be woken.
  bool Release(std::int32_t slab) noexcept;

  static constexpr std::size_t kMaxData = kSlabSize - kInboundData;

 private:
  std::int32_t TakeReady() noexcept;

  std::vector<std::byte*> slabs_;
  [[no_unique_address]] SlabOwners owners_;
  [[no_unique_address]] reactor::ThreadCheck loop_;
  [[no_unique_address]] reactor::ThreadCheck javascript_;
  SpscRing<kMaxSlabs> ready_;  // loop → JavaScript
  SpscRing<kMaxSlabs> free_;   // JavaScript → loop

  std::mutex open_mutex_;
  std::int32_t open_ = -1;  // guarded by open_mutex_, like the two below
  std::size_t count_ = 0;
  std::size_t data_end_ = 0;

  bool out_of_room_ = false;           // loop's thread
  std::atomic<bool> starving_{false};  // the loop waits: Release() must wake it
};

}  // namespace bridge
