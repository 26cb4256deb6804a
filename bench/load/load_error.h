#pragma once

#include <stdexcept>
#include <string>
#include <system_error>

namespace gev::load {

// The run is void: a wrong byte, a lost connection, a stalled server. Ends the generator with exit
// code 1.
class LoadError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The text of an errno.
inline std::string DescribeErrno(int error) { return std::generic_category().message(error); }

}  // namespace gev::load
