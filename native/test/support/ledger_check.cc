// After each test the ledger is as it was before: what a test started is gone to the last piece.
// Linked into every test executable; nothing needs to be called.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>

#include "reactor/ledger.h"

namespace {

using reactor::Asset;
using reactor::Ledger;

class LedgerCheck final : public testing::EmptyTestEventListener {
 public:
  void OnTestStart(const testing::TestInfo& /*test*/) override { before_ = Held(); }
  void OnTestEnd(const testing::TestInfo& /*test*/) override {
    const Counts after = Held();
    for (std::size_t i = 0; i < after.size(); ++i) {
      EXPECT_EQ(after[i], before_[i]) << "left behind: " << reactor::kAssetNames[i];
    }
  }

 private:
  using Counts = std::array<std::ptrdiff_t, reactor::kAssetNames.size()>;

  static Counts Held() {
    Counts counts{};
    for (std::size_t i = 0; i < counts.size(); ++i) {
      counts[i] = Ledger::HeldOf(static_cast<Asset>(i));
    }
    return counts;
  }

  Counts before_{};
};

// The list of listeners owns it.
[[maybe_unused]] const bool kListening = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new LedgerCheck);
  return true;
}();

}  // namespace
