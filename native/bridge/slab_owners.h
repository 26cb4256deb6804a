#pragma once

#ifndef NDEBUG
#include <array>
#include <atomic>
#include <cassert>
#endif

#include <cstddef>
#include <cstdint>

#include "reactor/ledger.h"

namespace bridge {

/// Who may touch a slab.
enum class SlabOwner : std::uint8_t { kFreeRing, kReadyRing, kLoop, kJavaScript };

/// Asserts that each slab of one direction has one owner at any time, and goes from hand to hand as
/// it should. Costs nothing where assertions are compiled out.
class SlabOwners {
 public:
#ifdef NDEBUG
  explicit SlabOwners(std::size_t /*slabs*/) noexcept {}
  void Pass(std::int32_t /*slab*/, SlabOwner /*from*/, SlabOwner /*to*/) noexcept {}
#else
  /// All of them are in the free ring at first.
  explicit SlabOwners(std::size_t slabs) noexcept : slabs_(slabs) {
    reactor::Ledger::Add(reactor::Asset::kSlab, static_cast<std::ptrdiff_t>(slabs_));
  }
  SlabOwners(const SlabOwners&) = delete;
  SlabOwners& operator=(const SlabOwners&) = delete;
  ~SlabOwners() {
    reactor::Ledger::Add(reactor::Asset::kSlab, -static_cast<std::ptrdiff_t>(slabs_));
  }

  /// To be called before the slab is visible to the next owner.
  void Pass(std::int32_t slab, SlabOwner from, SlabOwner to) noexcept {
    assert(slab >= 0 && static_cast<std::size_t>(slab) < slabs_);
    [[maybe_unused]] const SlabOwner owner = owners_[static_cast<std::size_t>(slab)].exchange(to);
    assert(owner == from);
  }

 private:
  static constexpr std::size_t kMaxSlabs = 16;

  std::size_t slabs_;
  std::array<std::atomic<SlabOwner>, kMaxSlabs> owners_{};
#endif
};

}  // namespace bridge
