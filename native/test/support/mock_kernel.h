#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "test/support/mock_faults.h"
#include "test/support/mock_stream.h"

namespace test {

/// The test's (or a fuzzer's) end of a connection: a client that calls nothing by itself.
class MockPeer {
 public:
  MockPeer(std::shared_ptr<MockStream> stream, std::uint16_t port)
      : stream_(std::move(stream)), port_(port) {}

  /// Returns how many bytes the server's receive queue took.
  std::size_t Send(std::string_view bytes);
  /// Up to `limit` bytes of what has arrived.
  std::string Receive(std::size_t limit = ~std::size_t{0});
  /// Returns false when there is no room.
  bool SendUrgent() { return stream_->SendUrgent(); }
  void ShutdownWrite() { stream_->ShutdownWrite(); }
  void Close();
  void Reset() { stream_->Reset(); }
  /// How much the server may send before this peer reads.
  void SetWindow(std::size_t bytes) { stream_->SetWindow(bytes); }

  /// Its system acknowledges nothing (or again all that came).
  void HoldAcknowledgements(bool hold) { stream_->HoldAcknowledgements(hold); }

  /// Everything was received, then FIN.
  [[nodiscard]] bool saw_end() const {
    return stream_ && stream_->fin_received() && stream_->unread() == 0;
  }
  [[nodiscard]] bool saw_reset() const { return stream_ && stream_->is_reset(); }
  [[nodiscard]] std::size_t unread() const { return stream_ ? stream_->unread() : 0; }
  /// Its own, which the server sees as the remote one.
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  std::shared_ptr<MockStream> stream_;
  std::uint16_t port_;
};

/// A kernel in memory behind the SocketOps seam: listening and stream sockets, edge-triggered
/// epoll(7), eventfd, a descriptor table with a limit, and a clock that only moves when the test
/// says so or an epoll_wait sleeps. It keeps epoll's promise that a short read or write is
/// followed by an edge; faults keep it too.
///
/// connect(2) says EINPROGRESS, and the handshake ends at once, as on a loopback, or with
/// HoldHandshakes() when the test says so; a full backlog holds it up, too.
///
/// One at a time, one thread. While it lives, reactor::SocketOps calls it. A descriptor may be in
/// one epoll only.
class MockKernel {
 public:
  MockKernel();
  ~MockKernel();
  MockKernel(const MockKernel&) = delete;
  MockKernel& operator=(const MockKernel&) = delete;
  static MockKernel& Current();

  // --- the world around -------------------------------------------------------

  /// Connects to the listener on `port`; it waits in the backlog until it is accepted.
  MockPeer Dial(std::uint16_t port);
  /// From now on connect(2) waits for FinishHandshakes().
  void HoldHandshakes() { hold_handshakes_ = true; }
  /// Ends all handshakes that wait: as the listener has it, or with `error`.
  void FinishHandshakes(int error = 0);
  /// What the next connect(2) gets for its own port.
  void SetNextPort(std::uint16_t port) { next_port_ = port; }
  void Advance(std::uint64_t nanoseconds) { now_ += nanoseconds; }
  void AdvanceMilliseconds(std::uint64_t milliseconds) { Advance(milliseconds * 1'000'000); }

  /// The next `times` calls fail with `error`, after `skip` that do not.
  void Fail(Call call, int error, unsigned times = 1, unsigned skip = 0);
  void ClearScript(Call call) { scripts_[static_cast<std::size_t>(call)].clear(); }
  /// Asked about every call no script speaks of; null: nothing fails. Must outlive its use.
  void SetFaults(FaultSource* faults) { faults_ = faults; }
  /// open(2) and its like fail with EMFILE when this many are open.
  void SetDescriptorLimit(std::size_t limit) { descriptor_limit_ = limit; }

  // --- what happened -------------------------------------------------------------

  [[nodiscard]] std::uint64_t calls(Call call) const {
    return calls_[static_cast<std::size_t>(call)];
  }
  [[nodiscard]] std::size_t open_descriptors() const { return descriptors_.size(); }
  /// Calls on a descriptor that is not open, or not of that kind.
  [[nodiscard]] std::uint64_t misuses() const { return misuses_; }
  /// Waits without limit in which nothing could ever have happened.
  [[nodiscard]] std::uint64_t stuck_waits() const { return stuck_waits_; }

  // --- system calls (SocketOps) ----------------------------------------------------

  int Socket();
  int Bind(int fd, const sockaddr* address, socklen_t length);
  int Listen(int fd, int backlog);
  int Accept(int fd, sockaddr* address, socklen_t* length);
  int Connect(int fd, const sockaddr* address);
  ssize_t Receive(int fd, void* buffer, std::size_t size);
  ssize_t Peek(int fd, void* buffer, std::size_t size);
  ssize_t Send(int fd, const iovec* parts, std::size_t count);
  int Unacknowledged(int fd);
  int Shutdown(int fd);
  int Close(int fd);
  int SetOption();
  int GetError(int fd, int* error);
  int LocalAddress(int fd, sockaddr* address, socklen_t* length);
  int RemoteAddress(int fd, sockaddr* address, socklen_t* length);
  int OpenSpare();
  int Unlink();
  int Stat();
  int EpollCreate();
  int EpollControl(int epoll, int operation, int fd, const epoll_event* event);
  int EpollWait(int epoll, epoll_event* events, int capacity, int timeout_ms);
  int EventFd();
  int SignalEventFd(int fd);
  int ClearEventFd(int fd);
  [[nodiscard]] std::uint64_t now() const { return now_; }

 private:
  struct Unbound {
    std::uint16_t port = 0;
  };
  struct Listener {
    std::uint16_t port = 0;
    std::size_t backlog = 0;
    std::deque<std::pair<std::shared_ptr<MockStream>, std::uint16_t>> waiting;  // with its port
    bool edge = false;
  };
  /// A socket that was told to connect.
  struct Handshake {
    std::uint16_t port = 0;
  };
  struct Event {
    std::uint64_t count = 0;
  };
  struct Watch {
    epoll_event event{};
    bool ready = false;
  };
  struct Epoll {
    std::map<int, Watch> watches;
  };
  struct Spare {};
  using Stream = std::shared_ptr<MockStream>;
  using Descriptor = std::variant<Unbound, Listener, Handshake, Stream, Event, Epoll, Spare>;
  struct Script {
    int error = 0;
    unsigned times = 0;
    unsigned skip = 0;
  };

  int Enter(Call call);  // 0, or -errno to fail with
  int Open(Descriptor descriptor);
  template <typename Kind>
  Kind* Get(int fd);
  Listener* ListenerAt(std::uint16_t port);
  void Finish(int fd, std::uint16_t port, int error);
  std::size_t LimitOf(Call call, std::size_t possible);
  int Collect(Epoll& epoll, epoll_event* events, int capacity);
  std::uint32_t ReadinessOf(Descriptor& descriptor, bool& edge);

  std::map<int, Descriptor> descriptors_;
  std::size_t descriptor_limit_ = 1024;
  std::uint16_t next_port_ = 40000;
  bool hold_handshakes_ = false;
  std::uint64_t now_ = 1'000'000'000;
  FaultSource* faults_ = nullptr;
  std::array<std::vector<Script>, static_cast<std::size_t>(Call::kCount_)> scripts_;
  std::array<std::uint64_t, static_cast<std::size_t>(Call::kCount_)> calls_{};
  std::uint64_t misuses_ = 0;
  std::uint64_t stuck_waits_ = 0;
};

}  // namespace test
