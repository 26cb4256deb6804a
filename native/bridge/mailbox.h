#pragma once

#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "bridge/record_reader.h"
#include "bridge/slab.h"
#include "bridge/slab_owners.h"
#include "bridge/spsc_ring.h"
#include "reactor/output_budget.h"
#include "reactor/thread_check.h"

namespace bridge {

/// The ordered stream of records from JavaScript to one loop. JavaScript writes into its open
/// outbound slab; when no slab is free the records spill to heap copies, so that neither side ever
/// waits for the other. The last slab is the staging area of these copies and never travels.
///
/// Slabs and spills travel apart, and each spill knows how many slabs were published before it:
///
///   published    slab 1, slab 2, spill a, spill b, slab 3
///   ready ring   1 2 3              spilled   a(after 2) b(after 2)
///   the loop     takes 1 from the ring, finds no spill after 0 slabs, consumes 1; so with 2;
///                takes 3, consumes a and b, which are after the 2 consumed so far, then 3
///
/// The loop takes the next slab before it looks for spills: those of before that slab are visible
/// then, since JavaScript stored them first.
class Mailbox {
 public:
  static constexpr std::size_t kMaxSlabs = 16;

  /// `slabs` (2 to kMaxSlabs, kSlabSize each) must outlive the mailbox.
  explicit Mailbox(std::vector<std::byte*> slabs);

  /// What is spilled counts towards `budget` (null: none), which must outlive every other call.
  /// Before the first of them.
  void CountIn(reactor::OutputBudget* budget) noexcept { budget_ = budget; }

  // --- JavaScript's thread -----------------------------------------------------------------------

  /// The slab JavaScript writes to.
  [[nodiscard]] std::int32_t open() const noexcept { return open_; }
  /// Hands the open slab's records over and opens another slab. False when there was none to hand
  /// over; true: the loop must be woken.
  bool Publish();

  // --- the loop's thread -------------------------------------------------------------------------

  [[nodiscard]] bool Empty() const noexcept { return ready_.Empty() && spilled_count_.load() == 0; }

  /// Calls `consume(records)` for each batch of records there is, in order. The bytes may be
  /// changed, and are gone when it returns.
  template <typename Consumer>
  void Drain(Consumer&& consume) {
    assert(loop_.Claim());
    while (true) {
      const std::int32_t slab = ready_.Pop();
      while (spilled_count_.load() > 0) {
        const Spill spill = TakeSpill();
        if (!spill.bytes) break;
        consume(std::span<std::byte>(spill.bytes.get(), spill.size));
      }
      if (slab < 0) return;
      owners_.Pass(slab, SlabOwner::kReadyRing, SlabOwner::kLoop);
      ++consumed_;
      consume(RecordsOf(slabs_[static_cast<std::size_t>(slab)]));
      owners_.Pass(slab, SlabOwner::kLoop, SlabOwner::kFreeRing);
      free_.Push(slab);
    }
  }

 private:
  struct Spill {
    std::uint64_t after = 0;  // slabs published before it
    std::size_t size = 0;
    std::unique_ptr<std::byte[]> bytes;
  };

  Spill TakeSpill();
  void OpenNext() noexcept;

  std::vector<std::byte*> slabs_;
  reactor::OutputBudget* budget_ = nullptr;
  [[no_unique_address]] SlabOwners owners_;
  [[no_unique_address]] reactor::ThreadCheck loop_;
  [[no_unique_address]] reactor::ThreadCheck javascript_;
  std::int32_t staging_;
  SpscRing<kMaxSlabs> ready_;  // JavaScript → loop
  SpscRing<kMaxSlabs> free_;   // loop → JavaScript

  std::int32_t open_ = -1;       // JavaScript's thread
  std::uint64_t published_ = 0;  // JavaScript's thread
  std::uint64_t consumed_ = 0;   // loop's thread

  std::atomic<std::size_t> spilled_count_{0};
  std::mutex spilled_mutex_;
  std::deque<Spill> spilled_;  // guarded by spilled_mutex_
};

}  // namespace bridge
