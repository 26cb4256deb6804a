#include "reactor/loop_group.h"

#include <new>
#include <string>
#include <utility>

#include "reactor/error.h"
#include "reactor/ledger.h"
#include "reactor/thread.h"

namespace reactor {

LoopGroup::LoopGroup(GroupOptions options, std::span<LoopHandler* const> handlers)
    : options_(std::move(options)),
      balancer_(options_.load_balance),
      output_budget_(options_.max_total_output),
      filter_(options_.accept),
      assigned_(handlers.size()),
      counts_(handlers.size()) {
  filter_.SetRules(std::move(options_.access));
  for (std::size_t i = 0; i < handlers.size(); ++i) {
    LoopOptions loop = options_.loop;
    loop.output_budget = &output_budget_;
    loop.on_dialled = [this, i] { OnDialled(i); };
    loop.on_closed = [this, i](const Endpoint* counted) { OnClosed(i, counted); };
    loops_.push_back(std::make_unique<EventLoop>(std::move(loop), *handlers[i]));
  }
}

LoopGroup::~LoopGroup() { Stop(); }

Endpoint LoopGroup::Listen(const Endpoint& endpoint, const PrefaceFactory& make_preface,
                           const Proxies& proxies) {
  const bool listener_each = options_.load_balance == LoadBalance::kKernel && !endpoint.is_unix();
  ListenOptions listen = options_.listen;
  listen.receive_buffer = options_.loop.socket.receive_buffer;

  std::vector<FileDescriptor> listeners;
  SocketFile file;
  listeners.push_back(ListenOn(endpoint, listen, &file));
  const Endpoint bound = Endpoint::LocalOf(listeners.front().get());
  if (listener_each && !listen.reuse_port) {
    // The port is ours alone up to here: a stranger's would have been an error.
    ThrowIfFailed(AllowSharing(listeners.front().get()), "setsockopt(SO_REUSEPORT)");
    listen.reuse_port = true;
  }
  while (listener_each && listeners.size() < loops_.size()) {
    listeners.push_back(ListenOn(bound, listen));
  }
  const std::uint16_t number = listeners_++;
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    loops_[i]->Listen(
        std::move(listeners[i]),
        [this, i, number, make_preface, proxies](FileDescriptor socket, const Endpoint& remote) {
          OnAccept(i, {.socket = std::move(socket), .remote = remote, .listener = number},
                   make_preface, proxies);
        },
        std::exchange(file, {}));  // there is one socket where there is a file
  }
  return bound;
}

void LoopGroup::Start() {
  if (options_.host_driven) return;
  const BlockedSignals inherited;
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    threads_.emplace_back([&loop = *loops_[i], i] {
      NameThisThread("gev-loop-" + std::to_string(i));
      [[maybe_unused]] const Held<Asset::kThread> held;
      loop.Run();
    });
  }
}

// On the thread of the loop that accepted.
void LoopGroup::OnAccept(std::size_t loop, Arrival arrival, const PrefaceFactory& make_preface,
                         const Proxies& proxies) {
  if (const std::optional<Refusal> refusal = Refuse(arrival, proxies)) {
    loops_[loop]->OnRefused(*refusal, arrival.remote);
    return;  // the descriptor closes
  }
  accepted_.fetch_add(1, std::memory_order_relaxed);
  std::size_t target = loop;
  if (options_.load_balance != LoadBalance::kKernel && loops_.size() > 1) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] = connections(i);
    target = balancer_.Pick(arrival.remote, counts_);
  }
  assigned_[target].fetch_add(1, std::memory_order_relaxed);
  try {
    if (make_preface) arrival.preface = make_preface();
    if (target != loop) return HandOver(target, arrival);
  } catch (const std::bad_alloc&) {
    OnClosed(target, arrival.counted ? &arrival.remote : nullptr);  // the descriptor closes
    return;
  }
  loops_[target]->Adopt(std::move(arrival));
}

// Empty: it counts as open now.
std::optional<Refusal> LoopGroup::Refuse(Arrival& arrival, const Proxies& proxies) noexcept {
  const std::size_t open = open_.fetch_add(1, std::memory_order_relaxed);
  std::optional<Refusal> refusal;
  if (proxies) {
    const std::optional<Address> address = arrival.remote.address();
    if (address && !proxies->Contains(*address)) refusal = Refusal::kProxyUntrusted;
  }
  if (!refusal && !filter_.idle()) {
    const Nanoseconds now = MonotonicNow();
    if (!proxies) refusal = filter_.Admit(arrival.remote, now, arrival.counted);
    if (!refusal && !filter_.Pass(now)) refusal = Refusal::kAcceptRate;
  }
  if (!refusal && options_.max_connections != 0 && open >= options_.max_connections) {
    refusal = Refusal::kMaxConnections;
  }
  if (refusal) {
    open_.fetch_sub(1, std::memory_order_relaxed);
    if (arrival.counted) filter_.Leave(arrival.remote);
  }
  return refusal;
}

// std::function wants copies; an arrival has one owner at a time, so it travels in a box.
void LoopGroup::HandOver(std::size_t target, Arrival& arrival) {
  auto box = std::make_shared<Arrival>(std::move(arrival));
  loops_[target]->Post(
      [&adopter = *loops_[target], box = std::move(box)] { adopter.Adopt(std::move(*box)); });
}

void LoopGroup::OnDialled(std::size_t index) noexcept {
  assigned_[index].fetch_add(1, std::memory_order_relaxed);
  open_.fetch_add(1, std::memory_order_relaxed);
}

void LoopGroup::OnClosed(std::size_t index, const Endpoint* counted) noexcept {
  if (counted != nullptr) filter_.Leave(*counted);
  assigned_[index].fetch_sub(1, std::memory_order_relaxed);
  open_.fetch_sub(1, std::memory_order_relaxed);
}

void LoopGroup::Stop() {
  for (const auto& loop : loops_) loop->Stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  for (const auto& loop : loops_) loop->StopListening();
}

std::uint64_t LoopGroup::refused(Refusal cause) const noexcept {
  std::uint64_t refused = 0;
  for (const auto& loop : loops_) refused += loop->refused(cause);
  return refused;
}

}  // namespace reactor
