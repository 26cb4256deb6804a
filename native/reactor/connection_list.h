#pragma once

#include <cassert>

namespace reactor {

class Connection;

/// A place in a ConnectionList, embedded in the connection.
struct ConnectionLink {
  Connection* previous = nullptr;
  Connection* next = nullptr;
  bool linked = false;
};

/// Connections in the order in which they were added; O(1) each, and no memory. Which link it uses
/// is given by a function, as links are private to connections. Belongs to one loop.
template <ConnectionLink& (*kLinkOf)(Connection&)>
class ConnectionList {
 public:
  [[nodiscard]] Connection* first() const noexcept { return first_; }
  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
  [[nodiscard]] static Connection* After(Connection& connection) noexcept {
    return kLinkOf(connection).next;
  }

  void Append(Connection& connection) noexcept {
    assert(!kLinkOf(connection).linked);
    kLinkOf(connection) = {last_, nullptr, true};
    (last_ == nullptr ? first_ : kLinkOf(*last_).next) = &connection;
    last_ = &connection;
  }

  void Remove(Connection& connection) noexcept {
    ConnectionLink& link = kLinkOf(connection);
    assert(link.linked);
    (link.previous == nullptr ? first_ : kLinkOf(*link.previous).next) = link.next;
    (link.next == nullptr ? last_ : kLinkOf(*link.next).previous) = link.previous;
    link = {};
  }

 private:
  Connection* first_ = nullptr;
  Connection* last_ = nullptr;
};

}  // namespace reactor
