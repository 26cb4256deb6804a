#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "reactor/accept_filter.h"
#include "reactor/endpoint.h"
#include "reactor/event_loop.h"
#include "reactor/load_balancer.h"
#include "reactor/socket.h"

namespace reactor {

struct GroupOptions {
  /// true: one loop, turned by a host loop; false: every loop has a thread of its own.
  bool host_driven = false;
  LoadBalance load_balance = LoadBalance::kRoundRobin;
  /// Connections open at a time over all loops, beyond which none is accepted; 0: no limit.
  std::size_t max_connections = 0;
  AcceptLimits accept;
  AccessRules access;
  ListenOptions listen;
  LoopOptions loop;
  /// Bytes that may wait for peers on all loops; above it those with most are hung up on.
  std::size_t max_total_output = 1024 * 1024 * 1024;
};

/// The loops of one server or client: builds them, gives each a thread, spreads accepted
/// connections and takes everything down in order. Its methods belong to the owner's thread unless
/// marked.
class LoopGroup {
 public:
  using PrefaceFactory = std::function<std::unique_ptr<Preface>()>;
  /// Whoever may connect to a listener, for others: they are asked for once they are named.
  using Proxies = std::optional<AddressRanges>;

  /// One loop for each handler; handlers must outlive the group. Throws std::system_error.
  LoopGroup(GroupOptions options, std::span<LoopHandler* const> handlers);
  LoopGroup(const LoopGroup&) = delete;
  LoopGroup& operator=(const LoopGroup&) = delete;
  /// Stops and joins.
  ~LoopGroup();

  /// Binds and listens; returns the real address. Before Start(), once for each listener: a
  /// connection's listener() counts them from 0. Throws std::system_error; the group is of no more
  /// use then.
  /// `make_preface` (may be empty) is called for each connection that it accepts, by any loop's
  /// thread; may throw std::bad_alloc.
  Endpoint Listen(const Endpoint& endpoint, const PrefaceFactory& make_preface = {},
                  const Proxies& proxies = {});
  /// Starts the threads. Once.
  void Start();

  /// Ends the loops where they stand and joins their threads; a Unix socket's file is removed.
  /// Idempotent. Descriptors are closed with the group.
  void Stop();

  static constexpr std::size_t kMaxListeners = EventLoop::kMaxListeners;

  /// How many there are.
  [[nodiscard]] std::size_t listeners() const noexcept { return listeners_; }
  [[nodiscard]] std::size_t size() const noexcept { return loops_.size(); }
  [[nodiscard]] EventLoop& loop(std::size_t index) noexcept { return *loops_[index]; }

  // --- safe from any thread -------------------------------------------------

  /// Connections assigned to a loop and not closed yet.
  [[nodiscard]] std::size_t connections(std::size_t index) const noexcept {
    return assigned_[index].load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t accepted() const noexcept {
    return accepted_.load(std::memory_order_relaxed);
  }
  /// Bytes that wait for peers on all loops, as they have reported.
  [[nodiscard]] std::size_t waiting_output() const noexcept { return output_budget_.waiting(); }
  /// Who may come in from now on.
  [[nodiscard]] AcceptFilter& filter() noexcept { return filter_; }
  void SetAccess(AccessRules rules) { filter_.SetRules(std::move(rules)); }
  /// Sockets that never became an open connection, for that cause.
  [[nodiscard]] std::uint64_t refused(Refusal cause) const noexcept;

 private:
  void OnAccept(std::size_t loop, Arrival arrival, const PrefaceFactory& make_preface,
                const Proxies& proxies);
  void HandOver(std::size_t target, Arrival& arrival);
  void OnDialled(std::size_t index) noexcept;
  void OnClosed(std::size_t index, const Endpoint* counted) noexcept;
  [[nodiscard]] std::optional<Refusal> Refuse(Arrival& arrival, const Proxies& proxies) noexcept;

  GroupOptions options_;
  LoadBalancer balancer_;
  OutputBudget output_budget_;
  AcceptFilter filter_;
  std::vector<std::atomic<std::size_t>> assigned_;
  std::vector<std::size_t> counts_;  // scratch of the accepting thread
  std::atomic<std::size_t> open_{0};
  std::atomic<std::uint64_t> accepted_{0};
  std::vector<std::unique_ptr<EventLoop>> loops_;
  std::vector<std::thread> threads_;
  std::uint16_t listeners_ = 0;
};

}  // namespace reactor
