#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "reactor/connection.h"
#include "reactor/ledger.h"
#include "reactor/mapped.h"
#include "reactor/slot_set.h"

namespace reactor {

/// Bytes of one connection: those the kernel took, and those that came.
struct ByteCounts {
  std::uint64_t written = 0;
  std::uint64_t received = 0;
};

/// Owns the connections of one loop in pages, which do not move. A slot is reused with another
/// generation, so a stale (slot, generation) finds nothing. The lowest free slot is taken first,
/// and of pages without a connection one stays: after a burst the memory of the others is given
/// back. Loop thread only, except BytesOf().
class ConnectionTable {
 public:
  static constexpr std::size_t kPageSize = 256;
  static constexpr std::size_t kMaxPages = 4096;  // a million connections a loop

  ConnectionTable() = default;
  ConnectionTable(const ConnectionTable&) = delete;
  ConnectionTable& operator=(const ConnectionTable&) = delete;
  ~ConnectionTable() { Ledger::Add(Asset::kConnection, -static_cast<std::ptrdiff_t>(size_)); }

  /// A free connection, or null when the table is full, or there is no memory for more.
  Connection* Allocate(std::uint32_t& slot) {
    const std::size_t number = PageWithRoom();
    if (number == kMaxPages) return nullptr;
    Page& page = pages_[number];
    const std::size_t index = page.free.Lowest();
    page.free.Remove(index);
    if (number == empty_) empty_ = kNoPage;
    if (++page.used == kPageSize) with_room_.Remove(number);
    slot = static_cast<std::uint32_t>(number * kPageSize + index);
    ++size_;
    Ledger::Add(Asset::kConnection, 1);
    assert(At(slot).state() == Connection::State::kFree && At(slot).IsConsistent());
    return &At(slot);
  }

  /// The connection may be gone with its memory now. Returns whether the table spans fewer slots.
  bool Free(Connection& connection) noexcept {
    const std::uint32_t slot = connection.slot();
    connection.MarkFree();
    --size_;
    Ledger::Add(Asset::kConnection, -1);
    const std::size_t number = slot / kPageSize;
    Page& page = pages_[number];
    page.free.Add(slot % kPageSize);
    with_room_.Add(number);
    return --page.used == 0 && ReleaseButOne(number);
  }

  /// Null when that connection is gone.
  [[nodiscard]] Connection* Find(std::uint32_t slot, std::uint32_t generation) noexcept {
    if (slot >= pages_.size() * kPageSize || pages_[slot / kPageSize].connections == nullptr) {
      return nullptr;
    }
    Connection& connection = At(slot);
    return connection.generation() == generation && connection.state() != Connection::State::kFree
               ? &connection
               : nullptr;
  }

  /// What went over that connection; empty when it is gone. Safe from any thread: it may wait for
  /// a page to be added or taken away, for nothing else.
  [[nodiscard]] std::optional<ByteCounts> BytesOf(std::uint32_t slot,
                                                  std::uint32_t generation) const noexcept {
    const std::scoped_lock lock(pages_mutex_);
    if (slot >= pages_.size() * kPageSize || pages_[slot / kPageSize].connections == nullptr) {
      return std::nullopt;
    }
    // MarkFree() moves the generation on before it clears the counts: read them the other way
    // round.
    const Connection& connection = (*pages_[slot / kPageSize].connections)[slot % kPageSize];
    const ByteCounts counts{connection.write_.bytes_written(std::memory_order_acquire),
                            connection.read_.bytes_received(std::memory_order_acquire)};
    if (connection.generation() != generation) return std::nullopt;
    return counts;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// No connection has this slot, or a higher one.
  [[nodiscard]] std::size_t span() const noexcept { return span_ * kPageSize; }

  /// Connections for which there is memory.
  [[nodiscard]] std::size_t capacity() const noexcept { return mapped_ * kPageSize; }

  template <typename Callback>
  void ForEach(Callback&& callback) {
    for (Page& page : pages_) {
      if (page.used == 0) continue;
      for (Connection& connection : *page.connections) {
        if (connection.state() != Connection::State::kFree) callback(connection);
      }
    }
  }

 private:
  using Connections = std::array<Connection, kPageSize>;

  struct Page {
    Mapped<Connections> connections;  // null: none is in use
    std::size_t used = 0;
    std::uint32_t generation = 0;  // what its slots go on from when they have memory again
    SlotSet<kPageSize> free;
  };

  static constexpr std::size_t kNoPage = kMaxPages;

  [[nodiscard]] Connection& At(std::uint32_t slot) noexcept {
    return (*pages_[slot / kPageSize].connections)[slot % kPageSize];
  }

  /// With memory; kMaxPages when there is none.
  std::size_t PageWithRoom() noexcept {
    std::size_t number = with_room_.Lowest();
    if (number == with_room_.kNone) number = pages_.size();
    if (number == kMaxPages) return kMaxPages;
    if (number < pages_.size() && pages_[number].connections != nullptr) return number;
    try {
      Map(number);
    } catch (const std::bad_alloc&) {
      return kMaxPages;
    }
    return number;
  }

  void Map(std::size_t number) {
    auto connections = MakeMapped<Connections>();
    const bool is_new = number == pages_.size();
    if (!is_new) {
      for (Connection& connection : *connections) {
        connection.generation_.store(pages_[number].generation, std::memory_order_relaxed);
      }
    }
    {
      const std::scoped_lock lock(pages_mutex_);
      if (is_new) pages_.emplace_back();
      pages_[number].connections = std::move(connections);
    }
    if (is_new) {
      for (std::size_t i = 0; i < kPageSize; ++i) pages_[number].free.Add(i);
      with_room_.Add(number);
    }
    ++mapped_;
    span_ = std::max(span_, number + 1);
  }

  /// A page has become empty: only the lowest such page keeps its memory. Returns whether the table
  /// spans fewer slots.
  bool ReleaseButOne(std::size_t number) noexcept {
    const std::size_t kept = std::min(empty_, number);
    const std::size_t excess = empty_ == kNoPage ? kNoPage : std::max(empty_, number);
    empty_ = kept;
    if (excess == kNoPage) return false;
    Page& page = pages_[excess];
    for (const Connection& connection : *page.connections) {
      page.generation = std::max(page.generation, connection.generation());
    }
    Mapped<Connections> connections;
    {
      const std::scoped_lock lock(pages_mutex_);
      connections = std::move(page.connections);
    }
    --mapped_;
    const std::size_t before = span_;
    while (span_ > 0 && pages_[span_ - 1].connections == nullptr) --span_;
    return span_ < before;
  }

  std::vector<Page> pages_;  // pages_mutex_ guards where the connections are, to be changed or read
                             // by another thread
  mutable std::mutex pages_mutex_;
  SlotSet<kMaxPages> with_room_;
  std::size_t empty_ = kNoPage;  // the one without a connection that has memory
  std::size_t mapped_ = 0;       // pages with memory
  std::size_t span_ = 0;         // pages up to the last with memory
  std::size_t size_ = 0;
};

}  // namespace reactor
