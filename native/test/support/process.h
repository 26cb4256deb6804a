// What this process holds, for tests that look for leaks.
#pragma once

#include <cstddef>
#include <string>

namespace test {

/// Open descriptors, by asking for each number that tests get near.
std::size_t CountDescriptors();

/// Threads of this process; 0 where that cannot be told.
std::size_t CountThreads();

/// A new folder, removed with what is in it (no deeper) at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace test
