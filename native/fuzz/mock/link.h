#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/require.h"

namespace fuzz {

/// One direction of a TCP connection as the model knows it.
struct Stream {
  std::string sent;          // accepted by the sender; what arrives is a prefix of it
  std::size_t received = 0;  // bytes of it that arrived

  /// These bytes arrived next.
  void Arrive(std::string_view bytes) {
    Require(std::string_view(sent).substr(received).starts_with(bytes), "bytes in order, once");
    received += bytes.size();
  }
};

/// A connection of the model, named by its client's port. The client is a peer of the mock kernel
/// or was dialled by the loop itself, so that both ends are in the reactor.
struct Link {
  Stream to_server;
  Stream to_client;
};

}  // namespace fuzz
