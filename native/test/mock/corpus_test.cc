// The fuzzer's corpus, replayed wherever the tests run: under every sanitizer and compiler, and
// into the measured coverage.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

TEST(ReactorCorpusTest, S10_HoldsItsInvariantsForAllThatWasFoundByFuzzing) {
  std::size_t replayed = 0;
  for (const auto& entry : std::filesystem::directory_iterator(GEV_FUZZ_CORPUS "/reactor")) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string input{std::istreambuf_iterator<char>(file), {}};
    // Before it runs: what is broken ends the process.
    std::cout << entry.path().filename().string() << '\n' << std::flush;
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
    ++replayed;
  }
  EXPECT_GT(replayed, 0U);
}

}  // namespace
