#include "reactor/accept_filter.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using reactor::AcceptFilter;
using reactor::Address;
using reactor::AddressLimiter;
using reactor::AddressRanges;
using reactor::Endpoint;
using reactor::FromMilliseconds;
using reactor::Refusal;

Endpoint At(const std::string& host) { return Endpoint::FromAddress(host, 1); }
Address AddressOf(const std::string& host) { return *At(host).address(); }
AddressRanges Ranges(std::vector<std::pair<std::string, std::string>> ranges) {
  std::vector<AddressRanges::Range> out;
  for (const auto& [first, last] : ranges) out.push_back({AddressOf(first), AddressOf(last)});
  return AddressRanges(std::move(out));
}

TEST(AddressRangesTest, E3_ContainWhatIsBetweenFirstAndLast) {
  const AddressRanges ranges = Ranges({{"10.0.0.0", "10.255.255.255"},
                                       {"192.168.1.1", "192.168.1.1"},
                                       {"2001:db8::", "2001:db8::ffff:ffff:ffff:ffff"}});
  for (const char* const in : {"10.0.0.0", "10.1.2.3", "10.255.255.255", "::ffff:10.1.2.3",
                               "192.168.1.1", "2001:db8::1"}) {
    EXPECT_TRUE(ranges.Contains(AddressOf(in))) << in;
  }
  for (const char* const out : {"9.255.255.255", "11.0.0.0", "192.168.1.0", "192.168.1.2", "::1",
                                "::10.1.2.3", "2001:db8:0:1::", "ffff::"}) {
    EXPECT_FALSE(ranges.Contains(AddressOf(out))) << out;
  }
  EXPECT_FALSE(AddressRanges().Contains(AddressOf("10.0.0.1")));
}

TEST(AddressLimiterTest, E3_PlacesAreTakenAndGivenBackAndNothingStays) {
  AddressLimiter limiter(3, 0);
  const Address address = AddressOf("10.0.0.1");
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(limiter.Take(address, 0), std::nullopt);
    EXPECT_EQ(limiter.Take(AddressOf("::ffff:10.0.0.1"), 0), Refusal::kMaxConnectionsPerAddress);
    EXPECT_EQ(limiter.Take(AddressOf("10.0.0.2"), 0), std::nullopt);
    limiter.GiveBack(AddressOf("10.0.0.2"), 0);
    for (int i = 0; i < 3; ++i) limiter.GiveBack(address, 0);
    EXPECT_EQ(limiter.size(), 0U);
  }
}

TEST(AddressLimiterTest, E3_OfIPv6AWholeNetworkIsOneClientAndOfIPv4EachAddress) {
  AddressLimiter limiter(1, 0);
  EXPECT_EQ(limiter.Take(AddressOf("2001:db8:0:1::1"), 0), std::nullopt);
  EXPECT_EQ(limiter.Take(AddressOf("2001:db8:0:1:ffff::2"), 0), Refusal::kMaxConnectionsPerAddress);
  EXPECT_EQ(limiter.Take(AddressOf("2001:db8:0:2::1"), 0), std::nullopt);
  EXPECT_EQ(limiter.Take(AddressOf("10.0.0.1"), 0), std::nullopt);
  EXPECT_EQ(limiter.Take(AddressOf("10.0.0.2"), 0), std::nullopt);
}

TEST(AddressLimiterTest, E3_ARateIsSoManyASecondForEachAddress) {
  AddressLimiter limiter(0, 5);
  const Address address = AddressOf("10.0.0.1");
  const auto take = [&](reactor::Nanoseconds now) {
    const bool taken = !limiter.Take(address, now);
    if (taken) limiter.GiveBack(address, now);
    return taken;
  };
  int taken = 0;
  for (std::uint64_t ms = 10'000; ms < 20'000; ++ms) taken += take(FromMilliseconds(ms)) ? 1 : 0;
  EXPECT_EQ(taken, 5 + 5 * 10 - 1);
  EXPECT_EQ(limiter.Take(AddressOf("10.0.0.2"), FromMilliseconds(20'000)), std::nullopt);
}

TEST(AddressLimiterTest, E3_ItsTableIsBoundedAndWhoIsRefusedStaysRefused) {
  AddressLimiter limiter(0, 2);
  const auto now = FromMilliseconds(1000);
  const Address attacker = AddressOf("10.0.0.1");
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(limiter.Take(attacker, now), std::nullopt);
    limiter.GiveBack(attacker, now);
  }
  Address other = AddressOf("2001:db8::");
  for (std::uint32_t i = 0; i < 3 * AddressLimiter::kCapacity; ++i) {
    other[7] = static_cast<std::uint8_t>(i);
    other[6] = static_cast<std::uint8_t>(i >> 8U);
    other[5] = static_cast<std::uint8_t>(i >> 16U);
    ASSERT_EQ(limiter.Take(other, now), std::nullopt);
    limiter.GiveBack(other, now);
  }
  EXPECT_LE(limiter.size(), AddressLimiter::kCapacity + 1);
  EXPECT_EQ(limiter.Take(attacker, now), Refusal::kAcceptRatePerAddress);
}

TEST(AcceptFilterTest, E3_DenyWinsOverAllowAndBothCanBeSwapped) {
  AcceptFilter filter({});
  bool counted = false;
  EXPECT_TRUE(filter.idle());
  filter.SetRules({Ranges({{"10.0.0.0", "10.255.255.255"}}), Ranges({{"10.0.0.1", "10.0.0.1"}})});
  EXPECT_FALSE(filter.idle());
  EXPECT_EQ(filter.Admit(At("10.0.0.1"), 0, counted), Refusal::kDenied);
  EXPECT_EQ(filter.Admit(At("10.0.0.2"), 0, counted), std::nullopt);
  EXPECT_EQ(filter.Admit(At("::ffff:10.0.0.2"), 0, counted), std::nullopt);
  EXPECT_EQ(filter.Admit(At("11.0.0.2"), 0, counted), Refusal::kDenied);
  EXPECT_EQ(filter.Admit(Endpoint::FromPath("/tmp/x"), 0, counted), std::nullopt);
  filter.SetRules({AddressRanges(), {}});
  EXPECT_EQ(filter.Admit(At("10.0.0.2"), 0, counted), Refusal::kDenied)
      << "an empty list is a list";
  filter.SetRules({});
  EXPECT_TRUE(filter.idle());
  EXPECT_FALSE(counted);
}

TEST(AcceptFilterTest, E3_TheRateOfAllHasNoRegardForAddresses) {
  AcceptFilter filter({.rate = 2});
  EXPECT_TRUE(filter.Pass(FromMilliseconds(1000)));
  EXPECT_TRUE(filter.Pass(FromMilliseconds(1000)));
  EXPECT_FALSE(filter.Pass(FromMilliseconds(1499)));
  EXPECT_TRUE(filter.Pass(FromMilliseconds(1500)));
}

}  // namespace
