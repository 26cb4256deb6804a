#include "load/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace gev::load {

// Values below 128 have a bucket each. Above, the position of the highest bit chooses a group of
// 128 buckets and the seven bits after it the bucket.
size_t LatencyHistogram::BucketOf(uint64_t value) {
  if (value < kSubBuckets) return value;
  const auto width = static_cast<uint32_t>(std::bit_width(value));
  const uint32_t shift = width - 1 - kSubBucketBits;
  return (size_t{shift} + 1) * kSubBuckets + ((value >> shift) - kSubBuckets);
}

uint64_t LatencyHistogram::HighestValueIn(size_t bucket) {
  if (bucket < kSubBuckets) return bucket;
  const size_t shift = bucket / kSubBuckets - 1;
  const uint64_t lowest = (bucket % kSubBuckets + kSubBuckets) << shift;
  return lowest + (uint64_t{1} << shift) - 1;
}

void LatencyHistogram::Record(int64_t nanos, uint64_t count) {
  const auto value = static_cast<uint64_t>(std::max<int64_t>(nanos, 0));
  counts_[BucketOf(std::min(value, kHighestValue))] += count;
  count_ += count;
  max_ = std::max(max_, nanos);
}

void LatencyHistogram::Clear() { *this = LatencyHistogram{}; }

int64_t LatencyHistogram::Percentile(double percent) const {
  if (count_ == 0) return 0;
  const double exact = std::ceil(static_cast<double>(count_) * percent / 100.0);
  const uint64_t rank = std::clamp<uint64_t>(static_cast<uint64_t>(exact), 1, count_);
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += counts_[bucket];
    if (seen >= rank) return std::min(static_cast<int64_t>(HighestValueIn(bucket)), max_);
  }
  return max_;
}

}  // namespace gev::load
