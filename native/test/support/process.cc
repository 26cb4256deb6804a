#include "test/support/process.h"

#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <system_error>

namespace test {
namespace {

constexpr int kHighestDescriptor = 4096;

}  // namespace

std::size_t CountDescriptors() {
  std::size_t count = 0;
  for (int fd = 0; fd <= kHighestDescriptor; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) ++count;
  }
  return count;
}

std::size_t CountThreads() {
  std::error_code error;
  const std::filesystem::directory_iterator threads("/proc/self/task", error);
  return error ? 0 : static_cast<std::size_t>(std::distance(begin(threads), end(threads)));
}

TemporaryFolder::TemporaryFolder() {
  path_ = (std::filesystem::temp_directory_path() / "gev-XXXXXX").string();
  if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp");
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace test
