#include "reactor/waiting_output.h"

#include <bit>
#include <cerrno>
#include <utility>

#include "reactor/connection.h"

namespace reactor {
namespace {

// Of the connections of the highest rank, whose output differs by a factor, so many are looked at.
constexpr std::size_t kCandidates = 1024;

}  // namespace

ConnectionLink& WaitingOutput::LinkOf(Connection& connection) noexcept {
  return connection.write_.link_;
}

WaitingOutput::WaitingOutput(OutputBudget* budget, std::function<void()> shed) : budget_(budget) {
  if (budget_ != nullptr) index_ = budget_->Join(std::move(shed));
}

void WaitingOutput::Update(Connection& connection) noexcept {
  if (budget_ == nullptr) return;
  WriteSide& side = connection.write_;
  const auto rank = static_cast<std::uint8_t>(std::bit_width(side.output_.capacity()));
  if (rank != side.rank_) {
    const std::uint8_t old = std::exchange(side.rank_, rank);
    if (old != 0) {
      ranks_[old].Remove(connection);
      if (ranks_[old].empty()) used_ &= ~(std::uint64_t{1} << old);
    }
    if (rank != 0) {
      ranks_[rank].Append(connection);
      used_ |= std::uint64_t{1} << rank;
    }
    budget_->ReportHighest(index_, static_cast<std::uint8_t>(std::bit_width(used_)));
  }
  bytes_ = bytes_ - std::exchange(side.counted_, side.waiting()) + side.waiting();
  const std::size_t change = bytes_ > reported_ ? bytes_ - reported_ : reported_ - bytes_;
  if (change >= OutputBudget::kStep || bytes_ == 0) Report();
}

void WaitingOutput::Report() noexcept {
  budget_->Add(static_cast<std::ptrdiff_t>(bytes_ - std::exchange(reported_, bytes_)));
}

void WaitingOutput::Shed() noexcept {
  budget_->Answer(index_);
  while (budget_->exceeded() && budget_->IsTurnOf(index_)) {
    Connection* const most = Most();
    if (most == nullptr) return;
    most->Abort(CloseReason::kBackpressure, ENOBUFS);
    Report();
  }
}

Connection* WaitingOutput::Most() const noexcept {
  if (used_ == 0) return nullptr;
  const auto highest = static_cast<std::size_t>(std::bit_width(used_) - 1);
  Connection* most = ranks_[highest].first();
  std::size_t looked_at = 0;
  for (Connection* one = most; one != nullptr && looked_at < kCandidates; ++looked_at) {
    if (one->buffered() > most->buffered()) most = one;
    one = ConnectionList<&LinkOf>::After(*one);
  }
  return most;
}

}  // namespace reactor
