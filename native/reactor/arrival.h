#pragma once

#include <cstdint>
#include <memory>

#include "reactor/endpoint.h"
#include "reactor/loop_handler.h"
#include "reactor/preface.h"
#include "reactor/socket.h"

namespace reactor {

/// An established socket that is to become a connection, and what is known of it.
struct Arrival {
  FileDescriptor socket;
  Endpoint remote;
  DialToken dial = 0;                          // it came of; 0: it was accepted
  std::uint16_t listener = 0;                  // that accepted it
  bool counted = false;                        // the AcceptFilter is to hear that it left
  std::unique_ptr<Preface> preface = nullptr;  // null: it opens at once
};

}  // namespace reactor
