#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "load/file_descriptor.h"

namespace gev::load {

// A loopback address and port.
class Target {
 public:
  // Throws std::invalid_argument unless `host` is a numeric loopback address.
  Target(const std::string& host, uint16_t port);

  [[nodiscard]] int Family() const { return storage_.ss_family; }
  [[nodiscard]] const sockaddr* Address() const;
  [[nodiscard]] socklen_t Length() const { return length_; }

 private:
  sockaddr_storage storage_ = {};
  socklen_t length_ = 0;
};

// A non-blocking stream socket with TCP_NODELAY. Throws std::system_error.
FileDescriptor OpenSocket(const Target& target);

// Starts to connect. Returns 0 when connected or under way, else the errno.
int StartConnecting(int socket, const Target& target);

// Connects and waits for it, at most 5 s. Throws LoadError.
FileDescriptor ConnectAndWait(const Target& target);

// The pending error of a socket (SO_ERROR), 0 for none.
int TakeSocketError(int socket);

// close() then sends RST: thousands of sockets leave no TIME_WAIT behind.
void ResetOnClose(int socket);

// Raises the soft limit of descriptors to `needed`; throws LoadError when the hard limit forbids
// it.
void RequireDescriptors(uint64_t needed);

FileDescriptor CreateEpoll();
// Edge-triggered, both directions and hang-up, once and for all; `index` comes back in data.u32.
void Watch(const FileDescriptor& epoll, int socket, uint32_t index);

}  // namespace gev::load
