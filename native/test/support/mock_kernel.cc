#include "test/support/mock_kernel.h"

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace test {
namespace {

MockKernel* g_current = nullptr;

std::uint16_t PortOf(const sockaddr* address) {
  sockaddr_in v4{};
  if (address->sa_family != AF_INET) throw std::logic_error("the mock kernel speaks IPv4 only");
  std::memcpy(&v4, address, sizeof v4);
  return ntohs(v4.sin_port);
}

void StoreLoopback(std::uint16_t port, sockaddr* address, socklen_t* length) {
  if (address == nullptr) return;
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  v4.sin_port = htons(port);
  std::memcpy(address, &v4, std::min<std::size_t>(*length, sizeof v4));
  *length = sizeof v4;
}

}  // namespace

// --- the test's side -----------------------------------------------------------------------------

std::size_t MockPeer::Send(std::string_view bytes) {
  const ssize_t count = stream_->Send(bytes.data(), bytes.size());
  return count < 0 ? 0 : static_cast<std::size_t>(count);
}

std::string MockPeer::Receive(std::size_t limit) {
  std::string out(std::min(limit, unread()), '\0');
  if (!out.empty()) stream_->Receive(out.data(), out.size());
  return out;
}

void MockPeer::Close() {
  if (!stream_) return;
  stream_->Close();
  stream_.reset();
}

MockKernel::MockKernel() {
  if (g_current != nullptr) throw std::logic_error("one mock kernel at a time");
  g_current = this;
}

MockKernel::~MockKernel() { g_current = nullptr; }

MockKernel& MockKernel::Current() {
  if (g_current == nullptr) throw std::logic_error("a system call without a mock kernel");
  return *g_current;
}

MockPeer MockKernel::Dial(std::uint16_t port) {
  Listener* const listener = ListenerAt(port);
  if (listener == nullptr || listener->waiting.size() >= listener->backlog) {
    throw std::logic_error("nobody listens there, or the backlog is full");
  }
  auto [server, client] = MockStream::Pair(port, next_port_);
  listener->waiting.emplace_back(std::move(server), next_port_);
  listener->edge = true;
  return {std::move(client), next_port_++};
}

void MockKernel::Fail(Call call, int error, unsigned times, unsigned skip) {
  scripts_[static_cast<std::size_t>(call)].push_back({error, times, skip});
}

// --- descriptors and faults ----------------------------------------------------------------------

int MockKernel::Enter(Call call) {
  ++calls_[static_cast<std::size_t>(call)];
  auto& scripts = scripts_[static_cast<std::size_t>(call)];
  if (scripts.empty()) return faults_ != nullptr ? -faults_->ErrorFor(call) : 0;
  Script& script = scripts.front();
  if (script.skip > 0) {
    --script.skip;
    return 0;
  }
  const int error = script.error;
  if (--script.times == 0) scripts.erase(scripts.begin());
  return -error;
}

std::size_t MockKernel::LimitOf(Call call, std::size_t possible) {
  if (faults_ == nullptr || possible == 0) return possible;
  return std::clamp<std::size_t>(faults_->Limit(call, possible), 1, possible);
}

// The lowest free number, as POSIX has it: a stale number soon names somebody else.
int MockKernel::Open(Descriptor descriptor) {
  if (descriptors_.size() >= descriptor_limit_) return -EMFILE;
  int fd = 3;
  while (descriptors_.contains(fd)) ++fd;
  descriptors_.emplace(fd, std::move(descriptor));
  return fd;
}

template <typename Kind>
Kind* MockKernel::Get(int fd) {
  const auto it = descriptors_.find(fd);
  Kind* const kind = it == descriptors_.end() ? nullptr : std::get_if<Kind>(&it->second);
  if (kind == nullptr) ++misuses_;
  return kind;
}

MockKernel::Listener* MockKernel::ListenerAt(std::uint16_t port) {
  for (auto& [fd, descriptor] : descriptors_) {
    auto* const listener = std::get_if<Listener>(&descriptor);
    if (listener != nullptr && listener->port == port) return listener;
  }
  return nullptr;
}

int MockKernel::Close(int fd) {
  Enter(Call::kClose);  // whatever it returned, the descriptor would be gone
  const auto it = descriptors_.find(fd);
  if (it == descriptors_.end()) {
    ++misuses_;
    return -EBADF;
  }
  if (auto* const stream = std::get_if<Stream>(&it->second)) (*stream)->Close();
  if (auto* const listener = std::get_if<Listener>(&it->second)) {
    for (const auto& [stream, client] : listener->waiting) stream->Reset();
  }
  descriptors_.erase(it);
  for (auto& [number, descriptor] : descriptors_) {
    if (auto* const epoll = std::get_if<Epoll>(&descriptor)) epoll->watches.erase(fd);
  }
  return 0;
}

int MockKernel::OpenSpare() {
  const int error = Enter(Call::kOpenSpare);
  return error != 0 ? error : Open(Spare{});
}

int MockKernel::Unlink() { return Enter(Call::kUnlink); }

int MockKernel::Stat() {
  const int error = Enter(Call::kStat);
  return error != 0 ? error : -ENOENT;
}

// --- sockets -------------------------------------------------------------------------------------

int MockKernel::Socket() {
  const int error = Enter(Call::kSocket);
  return error != 0 ? error : Open(Unbound{});
}

int MockKernel::Bind(int fd, const sockaddr* address, socklen_t /*length*/) {
  if (const int error = Enter(Call::kBind)) return error;
  auto* const socket = Get<Unbound>(fd);
  if (socket == nullptr) return -EINVAL;
  const std::uint16_t port = PortOf(address);
  if (port != 0 && ListenerAt(port) != nullptr) return -EADDRINUSE;
  socket->port = port != 0 ? port : next_port_++;
  return 0;
}

int MockKernel::Listen(int fd, int backlog) {
  if (const int error = Enter(Call::kListen)) return error;
  auto* const socket = Get<Unbound>(fd);
  if (socket == nullptr) return -EINVAL;
  Listener listener;
  listener.port = socket->port;
  listener.backlog = static_cast<std::size_t>(backlog);
  descriptors_.insert_or_assign(fd, std::move(listener));
  return 0;
}

int MockKernel::Accept(int fd, sockaddr* address, socklen_t* length) {
  const int error = Enter(Call::kAccept);
  auto* const listener = Get<Listener>(fd);
  if (listener == nullptr) return -EINVAL;
  if (error == -ECONNABORTED && !listener->waiting.empty()) {
    listener->waiting.front().first->Reset();
    listener->waiting.pop_front();
  }
  if (error != 0) return error;
  if (descriptors_.size() >= descriptor_limit_) return -EMFILE;  // before it looks, as Linux does
  if (listener->waiting.empty()) return -EAGAIN;
  auto [stream, client] = std::move(listener->waiting.front());
  listener->waiting.pop_front();
  StoreLoopback(client, address, length);
  return Open(std::move(stream));
}

int MockKernel::Connect(int fd, const sockaddr* address) {
  const int error = Enter(Call::kConnect);
  if (error != 0 && error != -EINTR) return error;
  if (Get<Unbound>(fd) == nullptr) return -EISCONN;
  const std::uint16_t port = PortOf(address);
  descriptors_.insert_or_assign(fd, Handshake{port});
  if (!hold_handshakes_) Finish(fd, port, 0);
  return error != 0 ? error : -EINPROGRESS;  // interrupted, it goes on all the same
}

void MockKernel::FinishHandshakes(int error) {
  hold_handshakes_ = false;
  std::map<int, std::uint16_t> waiting;
  for (const auto& [fd, descriptor] : descriptors_) {
    if (const auto* const handshake = std::get_if<Handshake>(&descriptor)) {
      waiting.emplace(fd, handshake->port);
    }
  }
  for (const auto& [fd, port] : waiting) Finish(fd, port, error);
}

void MockKernel::Finish(int fd, std::uint16_t port, int error) {
  Listener* const listener = ListenerAt(port);
  const std::uint16_t own_port = next_port_++;
  auto [server, client] = MockStream::Pair(port, own_port);
  if (error != 0) {
    client->OnReset(error);
  } else if (listener == nullptr) {
    if (own_port != port) client->OnReset(ECONNREFUSED);  // else it has connected to itself
  } else if (listener->waiting.size() >= listener->backlog) {
    return;  // the SYN is dropped
  } else {
    listener->waiting.emplace_back(std::move(server), own_port);
    listener->edge = true;
  }
  client->RaiseEdge();
  descriptors_.insert_or_assign(fd, std::move(client));
}

ssize_t MockKernel::Receive(int fd, void* buffer, std::size_t size) {
  const int error = Enter(Call::kReceive);
  auto* const socket = Get<Stream>(fd);
  if (socket == nullptr) return -EBADF;
  MockStream& stream = **socket;
  const bool told = std::exchange(stream.told_readable, false);
  if (error == -EAGAIN) {
    // As if the bytes came just after; or, right after an edge, as if that had been a false alarm:
    // then it is for the reader to ask again.
    if (!told) stream.RaiseEdge();
    return error;
  }
  if (error == -EINTR) stream.told_readable = told;
  if (error == -ECONNRESET || error == -ETIMEDOUT) {
    stream.Reset();
  }
  if (error != 0) return error;
  const std::size_t possible = std::min(size, stream.unread());
  const std::size_t limit = LimitOf(Call::kReceive, possible);
  if (limit < possible) stream.RaiseEdge();  // the rest arrives later
  return stream.Receive(buffer, possible == 0 ? size : limit);
}

ssize_t MockKernel::Peek(int fd, void* buffer, std::size_t size) {
  const int error = Enter(Call::kPeek);
  auto* const socket = Get<Stream>(fd);
  if (socket == nullptr) return -EBADF;
  return error != 0 ? error : (*socket)->Peek(buffer, size);
}

ssize_t MockKernel::Send(int fd, const iovec* parts, std::size_t count) {
  const int error = Enter(Call::kSend);
  auto* const socket = Get<Stream>(fd);
  if (socket == nullptr) return -EBADF;
  MockStream& stream = **socket;
  if (error == -EAGAIN) stream.AwaitRoom();
  if (error == -EPIPE || error == -ECONNRESET) stream.Reset();
  if (error != 0) return error;
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) {
    bytes.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  }
  const std::size_t possible = std::min(bytes.size(), stream.Room());
  const std::size_t limit = LimitOf(Call::kSend, possible);
  if (limit < possible) stream.RaiseEdge();
  return stream.Send(bytes.data(), limit < possible ? limit : bytes.size());
}

int MockKernel::Unacknowledged(int fd) {
  if (const int error = Enter(Call::kUnacknowledged)) return error;
  auto* const socket = Get<Stream>(fd);
  return socket == nullptr ? -EBADF : static_cast<int>((*socket)->unacknowledged());
}

int MockKernel::Shutdown(int fd) {
  if (const int error = Enter(Call::kShutdown)) return error;
  auto* const socket = Get<Stream>(fd);
  return socket == nullptr ? -ENOTCONN : (*socket)->ShutdownWrite();
}

int MockKernel::SetOption() { return Enter(Call::kSetOption); }

int MockKernel::GetError(int fd, int* error) {
  if (const int failure = Enter(Call::kGetOption)) return failure;
  auto* const socket = Get<Stream>(fd);
  if (socket == nullptr) return -EBADF;
  *error = (*socket)->TakeError();
  return 0;
}

int MockKernel::LocalAddress(int fd, sockaddr* address, socklen_t* length) {
  if (const int error = Enter(Call::kLocalAddress)) return error;
  const auto it = descriptors_.find(fd);
  if (it == descriptors_.end()) return -EBADF;
  const auto* const listener = std::get_if<Listener>(&it->second);
  const auto* const stream = std::get_if<Stream>(&it->second);
  const std::uint16_t port = listener != nullptr ? listener->port
                             : stream != nullptr ? (*stream)->local_port
                                                 : std::uint16_t{0};
  StoreLoopback(port, address, length);
  return 0;
}

int MockKernel::RemoteAddress(int fd, sockaddr* address, socklen_t* length) {
  if (const int error = Enter(Call::kRemoteAddress)) return error;
  auto* const stream = Get<Stream>(fd);
  if (stream == nullptr) return -ENOTCONN;
  StoreLoopback((*stream)->remote_port, address, length);
  return 0;
}

// --- epoll and eventfd ---------------------------------------------------------------------------

int MockKernel::EpollCreate() {
  const int error = Enter(Call::kEpollCreate);
  return error != 0 ? error : Open(Epoll{});
}

int MockKernel::EpollControl(int epoll_fd, int operation, int fd, const epoll_event* event) {
  if (const int error = Enter(Call::kEpollControl)) return error;
  auto* const epoll = Get<Epoll>(epoll_fd);
  if (epoll == nullptr || !descriptors_.contains(fd)) return -EBADF;
  const bool known = epoll->watches.contains(fd);
  if (operation == EPOLL_CTL_ADD && known) return -EEXIST;
  if (operation != EPOLL_CTL_ADD && !known) return -ENOENT;
  if (operation == EPOLL_CTL_DEL) {
    epoll->watches.erase(fd);
  } else {
    epoll->watches[fd] = {*event, true};  // reports at once what is ready now
  }
  return 0;
}

int MockKernel::EpollWait(int epoll_fd, epoll_event* events, int capacity, int timeout_ms) {
  if (const int error = Enter(Call::kEpollWait)) return error;
  auto* const epoll = Get<Epoll>(epoll_fd);
  if (epoll == nullptr) return -EBADF;
  const int count = Collect(*epoll, events, capacity);
  if (count > 0 || timeout_ms == 0) return count;
  if (timeout_ms < 0) {
    ++stuck_waits_;  // nobody else runs: a real kernel would sleep for ever
  } else {
    AdvanceMilliseconds(static_cast<std::uint64_t>(timeout_ms));
  }
  return 0;
}

int MockKernel::Collect(Epoll& epoll, epoll_event* events, int capacity) {
  int count = 0;
  for (auto& [fd, watch] : epoll.watches) {
    Descriptor& descriptor = descriptors_.at(fd);
    bool edge = false;
    const std::uint32_t bits =
        ReadinessOf(descriptor, edge) & (watch.event.events | EPOLLHUP | EPOLLERR);
    watch.ready = watch.ready || edge;
    const bool edge_triggered = (watch.event.events & EPOLLET) != 0;
    if (bits == 0) watch.ready = false;
    if (bits == 0 || (edge_triggered && !watch.ready) || count == capacity) continue;
    watch.ready = false;
    events[count] = watch.event;
    events[count++].events = bits;
    auto* const stream = std::get_if<Stream>(&descriptor);
    if (stream != nullptr && (bits & EPOLLIN) != 0) (*stream)->told_readable = true;
  }
  return count;
}

std::uint32_t MockKernel::ReadinessOf(Descriptor& descriptor, bool& edge) {
  if (auto* const stream = std::get_if<Stream>(&descriptor)) {
    edge = (*stream)->TakeEdge();
    return (*stream)->Readiness();
  }
  if (auto* const listener = std::get_if<Listener>(&descriptor)) {
    edge = std::exchange(listener->edge, false);
    return listener->waiting.empty() ? 0U : std::uint32_t{EPOLLIN};
  }
  const auto* const event = std::get_if<Event>(&descriptor);
  return event != nullptr && event->count > 0 ? std::uint32_t{EPOLLIN} : 0U;
}

int MockKernel::EventFd() {
  const int error = Enter(Call::kEventFd);
  return error != 0 ? error : Open(Event{});
}

int MockKernel::SignalEventFd(int fd) {
  auto* const event = Get<Event>(fd);
  if (event == nullptr) return -EBADF;
  ++event->count;
  return static_cast<int>(sizeof event->count);
}

int MockKernel::ClearEventFd(int fd) {
  auto* const event = Get<Event>(fd);
  if (event == nullptr) return -EBADF;
  return std::exchange(event->count, 0) > 0 ? static_cast<int>(sizeof event->count) : -EAGAIN;
}

}  // namespace test
