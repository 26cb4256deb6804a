#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "load/file_descriptor.h"

namespace gev::load {

// The socket of one connection of the load: non-blocking, and whatever goes wrong throws a
// LoadError that names the connection.
class ConnectionSocket {
 public:
  ConnectionSocket(FileDescriptor socket, uint32_t number);

  // The connection's number, counted from 0.
  [[nodiscard]] uint32_t Number() const { return number_; }

  // Returns how many bytes the kernel took; 0: none at present.
  [[nodiscard]] size_t Send(const char* bytes, size_t length) const;

  // Returns how many bytes have been read; 0: none are there. The end of the stream is a failure:
  // no server of a benchmark may end it.
  [[nodiscard]] size_t Receive(std::span<char> room) const;

  [[noreturn]] void Fail(const std::string& what) const;

 private:
  FileDescriptor socket_;
  uint32_t number_;
};

}  // namespace gev::load
