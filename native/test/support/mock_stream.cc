#include "test/support/mock_stream.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace test {

MockStream::Ends MockStream::Pair(std::uint16_t port, std::uint16_t client_port) {
  auto one = std::make_shared<MockStream>();
  auto other = std::make_shared<MockStream>();
  one->other_ = other;
  other->other_ = one;
  one->local_port = other->remote_port = port;
  one->remote_port = other->local_port = client_port;
  return {std::move(one), std::move(other)};
}

ssize_t MockStream::Send(const void* data, std::size_t size) {
  if (error_ != 0) return -TakeError();
  if (reset_ || fin_sent_) return -EPIPE;
  const auto other = other_.lock();
  if (!other) {  // closed over there: the answer to these bytes is an RST
    OnReset(EPIPE);
    return static_cast<ssize_t>(size);
  }
  const std::size_t count = std::min(size, Room());
  if (count < size) wants_room_ = true;
  if (count == 0) return -EAGAIN;
  other->input_.append(static_cast<const char*>(data), count);
  other->RaiseEdge();
  return static_cast<ssize_t>(count);
}

bool MockStream::SendUrgent() {
  const auto other = other_.lock();
  if (!other || error_ != 0 || reset_ || fin_sent_ || Room() == 0) return false;
  if (other->urgent_.empty() || other->urgent_.back() != other->input_.size()) {
    other->urgent_.push_back(other->input_.size());
  }
  other->RaiseEdge();
  return true;
}

ssize_t MockStream::Receive(void* buffer, std::size_t size) {
  if (!urgent_.empty() && urgent_.front() == 0) urgent_.pop_front();
  const ssize_t result = Peek(buffer, size);
  if (result > 0) {
    const auto count = static_cast<std::size_t>(result);
    input_.erase(0, count);
    for (std::size_t& place : urgent_) place -= count;
    if (const auto other = other_.lock()) other->TellRoom();
  }
  return result;
}

ssize_t MockStream::Peek(void* buffer, std::size_t size) {
  if (!input_.empty()) {
    // It stops at an urgent byte, but not at one that it begins with.
    const auto place = std::ranges::find_if(urgent_, [](std::size_t at) { return at > 0; });
    const std::size_t end = place == urgent_.end() ? input_.size() : *place;
    const std::size_t count = std::min(size, end);
    std::memcpy(buffer, input_.data(), count);
    return static_cast<ssize_t>(count);
  }
  if (error_ != 0) return -TakeError();
  return fin_received_ || reset_ ? 0 : -EAGAIN;
}

int MockStream::ShutdownWrite() {
  if (reset_) return -ENOTCONN;
  if (std::exchange(fin_sent_, true)) return 0;
  if (const auto other = other_.lock()) {
    other->fin_received_ = true;
    other->RaiseEdge();
  }
  if (fin_received_) RaiseEdge();  // both ways are shut: EPOLLHUP
  return 0;
}

void MockStream::Close() {
  if (input_.empty()) {
    ShutdownWrite();
  } else {
    Reset();
  }
}

void MockStream::Reset() {
  if (const auto other = other_.lock()) other->OnReset(ECONNRESET);
  reset_ = true;
}

void MockStream::OnReset(int error) {
  if (reset_) return;
  reset_ = true;
  error_ = error;
  RaiseEdge();
}

void MockStream::SetWindow(std::size_t bytes) {
  window_ = bytes;
  if (const auto other = other_.lock()) other->TellRoom();
}

void MockStream::TellRoom() {
  if (wants_room_ && Room() > 0) {
    wants_room_ = false;
    RaiseEdge();
  }
}

std::size_t MockStream::Room() const {
  const auto other = other_.lock();
  if (!other) return 1;
  return other->window_ - std::min(other->window_, other->input_.size());
}

std::size_t MockStream::unacknowledged() const {
  const auto other = other_.lock();
  return other != nullptr && other->silent_ ? 1 : 0;
}

std::uint32_t MockStream::Readiness() const {
  std::uint32_t bits = 0;
  if (!input_.empty() || fin_received_ || reset_) bits |= EPOLLIN;
  if (Room() > 0 || reset_) bits |= EPOLLOUT;
  if (fin_received_ || reset_) bits |= EPOLLRDHUP;
  if (reset_ || (fin_received_ && fin_sent_)) bits |= EPOLLHUP;
  if (error_ != 0) bits |= EPOLLERR;
  if (!urgent_.empty()) bits |= EPOLLPRI;
  return bits;
}

}  // namespace test
