#pragma once

#include <array>
#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "reactor/connection.h"
#include "reactor/ledger.h"

namespace reactor {

/// Bytes of one connection: those the kernel took, and those that came.
struct ByteCounts {
  std::uint64_t written = 0;
  std::uint64_t received = 0;
};

/// Owns the connections of one loop in pages that never move. A slot is reused with another
/// generation, so a stale (slot, generation) finds nothing.
/// Loop thread only, except BytesOf().
class ConnectionTable {
 public:
  static constexpr std::size_t kPageSize = 256;
  static constexpr std::size_t kMaxPages = 4096;  // a million connections a loop

  ConnectionTable() = default;
  ConnectionTable(const ConnectionTable&) = delete;
  ConnectionTable& operator=(const ConnectionTable&) = delete;
  ~ConnectionTable() { Ledger::Add(Asset::kConnection, -static_cast<std::ptrdiff_t>(size_)); }

  /// A free connection, or null when the table is full.
  Connection* Allocate(std::uint32_t& slot) {
    if (free_.empty() && !AddPage()) return nullptr;
    slot = free_.back();
    free_.pop_back();
    ++size_;
    Ledger::Add(Asset::kConnection, 1);
    assert(At(slot).state() == Connection::State::kFree && At(slot).IsConsistent());
    return &At(slot);
  }

  void Free(Connection& connection) noexcept {
    connection.MarkFree();
    free_.push_back(connection.slot());  // capacity was reserved with the page
    --size_;
    Ledger::Add(Asset::kConnection, -1);
  }

  /// Null when that connection is gone.
  [[nodiscard]] Connection* Find(std::uint32_t slot, std::uint32_t generation) noexcept {
    if (slot >= page_count_ * kPageSize) return nullptr;
    Connection& connection = At(slot);
    return connection.generation() == generation && connection.state() != Connection::State::kFree
               ? &connection
               : nullptr;
  }

  /// What went over that connection; empty when it is gone. Safe from any thread.
  [[nodiscard]] std::optional<ByteCounts> BytesOf(std::uint32_t slot,
                                                  std::uint32_t generation) const noexcept {
    const std::size_t page = slot / kPageSize;
    if (page >= kMaxPages) return std::nullopt;
    const auto* connections = published_[page].load(std::memory_order_acquire);
    if (connections == nullptr) return std::nullopt;
    // MarkFree() moves the generation on before it clears the counts: read them the other way
    // round.
    const Connection& connection = (*connections)[slot % kPageSize];
    const ByteCounts counts{connection.bytes_written_.load(std::memory_order_acquire),
                            connection.bytes_received_.load(std::memory_order_acquire)};
    if (connection.generation() != generation) return std::nullopt;
    return counts;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  template <typename Callback>
  void ForEach(Callback&& callback) {
    for (std::size_t page = 0; page < page_count_; ++page) {
      for (Connection& connection : *pages_[page]) {
        if (connection.state() != Connection::State::kFree) callback(connection);
      }
    }
  }

 private:
  using Page = std::array<Connection, kPageSize>;

  [[nodiscard]] Connection& At(std::uint32_t slot) noexcept {
    return (*pages_[slot / kPageSize])[slot % kPageSize];
  }

  bool AddPage() {
    if (page_count_ == kMaxPages) return false;
    pages_.push_back(std::make_unique<Page>());
    free_.reserve(pages_.size() * kPageSize);
    const auto first = static_cast<std::uint32_t>(page_count_ * kPageSize);
    for (std::size_t i = kPageSize; i-- > 0;)
      free_.push_back(first + static_cast<std::uint32_t>(i));
    published_[page_count_].store(pages_.back().get(), std::memory_order_release);
    ++page_count_;
    return true;
  }

  std::vector<std::unique_ptr<Page>> pages_;
  std::array<std::atomic<const Page*>, kMaxPages> published_{};
  std::size_t page_count_ = 0;
  std::size_t size_ = 0;
  std::vector<std::uint32_t> free_;
};

}  // namespace reactor
