#include "reactor/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace reactor {

TimerWheel::TimerWheel(std::uint64_t now_tick) noexcept : current_(now_tick) {
  for (auto& level : slots_) {
    for (TimerNode& slot : level) slot.previous = slot.next = &slot;
  }
}

void TimerWheel::Arm(TimerNode& node, std::uint64_t deadline) noexcept {
  Cancel(node);
  node.deadline = deadline;
  Place(node);
  ++size_;
}

void TimerWheel::Cancel(TimerNode& node) noexcept {
  if (!node.armed()) return;
  node.previous->next = node.next;
  node.next->previous = node.previous;
  const TimerNode& slot = slots_[node.level][node.index];
  if (slot.next == &slot) occupied_[node.level] &= ~(std::uint64_t{1} << node.index);
  node.previous = node.next = nullptr;
  --size_;
}

// The level is that of the highest digit (base 64) in which deadline and current tick differ, so a
// slot of level n is looked at exactly when the lower digits of the current tick are all zero.
void TimerWheel::Place(TimerNode& node) noexcept {
  const std::uint64_t deadline =
      std::clamp(node.deadline, current_, current_ + kHorizon / kSlots * (kSlots - 2));
  const std::uint64_t difference = deadline ^ current_;
  const auto digits =
      difference == 0 ? 0U : (static_cast<unsigned>(std::bit_width(difference)) - 1) / kBits;
  const unsigned level = std::min(digits, kLevels - 1);
  const auto index = static_cast<std::uint8_t>((deadline >> (kBits * level)) & kMask);
  TimerNode& slot = slots_[level][index];
  node.level = static_cast<std::uint8_t>(level);
  node.index = index;
  node.previous = slot.previous;
  node.next = &slot;
  slot.previous->next = &node;
  slot.previous = &node;
  occupied_[level] |= std::uint64_t{1} << index;
}

// Moves the nodes of every higher slot that begins at the current tick one or more levels down.
void TimerWheel::Cascade() noexcept {
  for (unsigned level = kLevels - 1; level > 0; --level) {
    if ((current_ & ((std::uint64_t{1} << (kBits * level)) - 1)) != 0) continue;
    const auto index = (current_ >> (kBits * level)) & kMask;
    TimerNode moved;
    TakeSlot(level, index, moved);
    for (TimerNode* node = moved.next; node != &moved;) {
      TimerNode* const next = node->next;
      Place(*node);
      node = next;
    }
  }
}

void TimerWheel::TakeSlot(unsigned level, std::uint64_t index, TimerNode& head) noexcept {
  TimerNode& slot = slots_[level][index];
  head.previous = head.next = &head;
  if (slot.next == &slot) return;
  head.next = slot.next;
  head.previous = slot.previous;
  head.next->previous = head.previous->next = &head;
  slot.previous = slot.next = &slot;
  occupied_[level] &= ~(std::uint64_t{1} << index);
}

std::optional<std::uint64_t> TimerWheel::NextEvent() const noexcept {
  std::optional<std::uint64_t> nearest;
  for (unsigned level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) continue;
    const unsigned shift = kBits * level;
    const std::uint64_t position = current_ >> shift;
    // The slot of the current tick counts on level 0, or when the tick is that slot's first.
    const bool here = (current_ & ((std::uint64_t{1} << shift) - 1)) == 0;
    const std::uint64_t from = here ? position : position + 1;
    const auto distance = static_cast<std::uint64_t>(
        std::countr_zero(std::rotr(occupied_[level], static_cast<int>(from & kMask))));
    const std::uint64_t tick = (from + distance) << shift;
    if (!nearest || tick < *nearest) nearest = tick;
  }
  return nearest;
}

}  // namespace reactor
