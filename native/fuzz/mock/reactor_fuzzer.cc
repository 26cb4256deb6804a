// A server that also dials, its peers, JavaScript and the kernel do what the input says. Whatever
// that is: nothing crashes and no assertion fails, events come as open < messages < end < close,
// bytes arrive in order and once, every dial has one outcome; and after the end nothing is open,
// nothing spins, and the ledger is empty.
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "bridge/loop_bridge.h"
#include "fuzz/mock/fuzz_framing.h"
#include "fuzz/mock/fuzz_input.h"
#include "fuzz/mock/link.h"
#include "fuzz/mock/script.h"
#include "fuzz/require.h"
#include "reactor/event_loop.h"
#include "reactor/ledger.h"
#include "reactor/socket.h"
#include "test/support/mock_kernel.h"

namespace fuzz {
namespace {

using bridge::Operation;
using reactor::CloseReason;
using reactor::FromMilliseconds;

constexpr std::size_t kMaxSlabs = 4;
constexpr std::size_t kMaxPeers = 10;
constexpr std::size_t kMaxDials = 6;
constexpr std::uint16_t kNobody = 9;
constexpr std::uint64_t kLong = 1'000'000;  // ms

/// Slabs are made once: they are large, and nobody reads what was not written.
std::vector<std::byte*> SlabsFrom(std::size_t first, std::size_t count) {
  static const auto kMemory =
      std::make_unique_for_overwrite<std::byte[]>(2 * kMaxSlabs * bridge::kSlabSize);
  std::vector<std::byte*> slabs;
  for (std::size_t i = first; i < first + count; ++i) {
    slabs.push_back(kMemory.get() + i * bridge::kSlabSize);
  }
  return slabs;
}

struct Peer {
  explicit Peer(test::MockPeer client) : socket(std::move(client)) {}

  test::MockPeer socket;
  std::string unsent;  // written, and not yet pushed into the connection
  bool ended = false;
  bool gone = false;
};

class World {
 public:
  explicit World(FuzzInput input)
      : input_(input), faults_(input_), framing_(input_), slabs_(2 + input_.Pick(3)) {}

  void Run() {
    const reactor::LoopOptions options = MakeOptions();
    kernel_.SetFaults(&faults_);
    try {
      Start(options);
    } catch (const std::system_error&) {
      return Stop();  // a kernel that refuses to begin
    }
    while (!input_.empty()) Step();
    WindUp();
    Stop();
  }

 private:
  // --- the beginning --------------------------------------------------------------

  reactor::LoopOptions MakeOptions() {
    reactor::LoopOptions options;
    reactor::ConnectionOptions& connection = options.connection;
    connection.high_water_mark = 1000 + input_.Size(100'000);
    connection.low_water_mark = connection.high_water_mark / 4;
    connection.max_send_buffer = input_.Chance() ? 100'000'000 : 3 * connection.high_water_mark;
    connection.idle_timeout = FromMilliseconds(input_.Size(5000));
    connection.incomplete_frame_timeout = FromMilliseconds(input_.Size(5000));
    connection.close_timeout = FromMilliseconds(1 + input_.Size(5000));
    connection.half_close_timeout = FromMilliseconds(1 + input_.Size(5000));
    connection.start_paused = input_.Pick(8) == 7;
    return options;
  }

  void Start(const reactor::LoopOptions& options) {
    bridge_.emplace(framing_.framer(), nullptr, SlabsFrom(0, slabs_), SlabsFrom(kMaxSlabs, slabs_));
    loop_.emplace(options, *bridge_);
    bridge_->Attach(*loop_);
    auto listener = reactor::ListenOn(reactor::Endpoint::FromAddress("127.0.0.1", 0), {});
    port_ = reactor::Endpoint::LocalOf(listener.get()).port();
    if (port_ == 0) throw std::system_error(ENOBUFS, std::generic_category());
    script_.emplace(*bridge_, framing_.framer(), SlabsFrom(0, slabs_), SlabsFrom(kMaxSlabs, slabs_),
                    links_);
    loop_->Listen(std::move(listener),
                  [this](reactor::FileDescriptor socket, const reactor::Endpoint& remote) {
                    loop_->Adopt({.socket = std::move(socket), .remote = remote});
                  });
  }

  // --- what may happen ------------------------------------------------------------

  void Step() {
    switch (input_.Pick(32)) {
      case 0:
      case 1:
        return Connect();
      case 2:
      case 3:
      case 4:
        return WithPeer([this](Peer& peer) { peer.unsent += framing_.Message(input_); });
      case 5:
      case 6:
        return WithPeer([this](Peer& peer) { Push(peer, input_.Size(100'000)); });
      case 8:
      case 9:
        return WithPeer([this](Peer& peer) { Receive(peer, input_.Size(200'000)); });
      case 7:
        return WithPeer([](Peer& peer) { peer.socket.SendUrgent(); });
      case 10:
        return WithPeer([](Peer& peer) {
          peer.socket.ShutdownWrite();
          peer.ended = true;
        });
      case 11:
        return WithPeer([this](Peer& peer) { HangUp(peer); });
      case 12:
        return WithPeer([this](Peer& peer) { peer.socket.SetWindow(1 + input_.Size(100'000)); });
      case 13:
        return kernel_.AdvanceMilliseconds(input_.Size(6000));
      case 14:
      case 15:
      case 16:
        return Turn();
      case 17:
        script_->Take();
        return;
      case 18:
        return script_->Release();
      case 19:
      case 20:
        return script_->ReadAll();
      case 21:
      case 22:
        return WithConnection([this](Seen& seen) {
          script_->Send(
              seen,
              input_.Chance() ? framing_.Message(input_) : std::string(input_.Size(200'000), 's'),
              static_cast<std::int32_t>(input_.Pick(4)));
        });
      case 23:
        return script_->Multicast(framing_.Message(input_));
      case 24:
        return WithConnection([this](Seen& seen) {
          constexpr Operation kOperations[] = {Operation::kClose, Operation::kShutdownWrite,
                                               Operation::kAbort};
          script_->Tell(kOperations[input_.Pick(3)], seen,
                        static_cast<std::int32_t>(CloseReason::kLocal));
        });
      case 25:
        return WithConnection([this](Seen& seen) {
          if (input_.Pick(4) == 0) return script_->Leave(seen, input_.Size(2000));
          script_->Tell(input_.Chance() ? Operation::kPause : Operation::kResume, seen);
        });
      case 26:
        return StepTimers();
      case 27:
        return Dial();
      case 28:
        script_->Publish();
        if (input_.Chance()) loop_->RunCommands();
        return;
      case 29:
        if (input_.Chance()) {
          kernel_.HoldHandshakes();
        } else {
          kernel_.FinishHandshakes(input_.Chance() ? 0 : EHOSTUNREACH);
        }
        return;
      case 30:
        return kernel_.SetDescriptorLimit(4 + input_.Pick(30));
      default:
        return StepAll();
    }
  }

  void Connect() {
    if (peers_.size() == kMaxPeers || !accepting_) return;
    test::MockPeer socket = kernel_.Dial(port_);
    const std::uint16_t port = socket.port();
    script_->MarkPeer(port);
    peers_.emplace(port, Peer(std::move(socket)));
  }

  template <typename Action>
  void WithPeer(const Action& action) {
    if (peers_.empty()) return;
    const auto index = static_cast<std::ptrdiff_t>(input_.Pick(peers_.size()));
    Peer& peer = std::next(peers_.begin(), index)->second;
    if (!peer.gone) action(peer);
  }

  template <typename Action>
  void WithConnection(const Action& action) {
    auto& open = script_->open();
    if (open.empty()) return;
    const auto index =
        static_cast<std::ptrdiff_t>(input_.Pick(std::min<std::size_t>(open.size(), 256)));
    action(std::next(open.begin(), index)->second);
  }

  void Push(Peer& peer, std::size_t limit) {
    if (peer.ended) return;
    const std::size_t taken = peer.socket.Send(std::string_view(peer.unsent).substr(0, limit));
    links_[peer.socket.port()].to_server.sent += peer.unsent.substr(0, taken);
    peer.unsent.erase(0, taken);
  }

  void Receive(Peer& peer, std::size_t limit) {
    links_[peer.socket.port()].to_client.Arrive(peer.socket.Receive(limit));
  }

  void HangUp(Peer& peer) {
    peer.gone = true;
    if (input_.Chance()) {
      peer.socket.Reset();
    } else {
      peer.socket.Close();
    }
  }

  void Turn() {
    const std::size_t wait = input_.Pick(8);
    loop_->Turn(wait < 6 ? 0 : static_cast<int>(input_.Size(1000)));
  }

  void StepTimers() {
    const auto id = static_cast<std::uint32_t>(input_.Pick(4));
    switch (input_.Pick(4)) {
      case 0:
        return script_->TellTimer(Operation::kTimerCancel, id);
      case 1:
        return script_->TellTimer(Operation::kTimerDone, id);
      default:
        script_->StartTimer(id, static_cast<double>(input_.Size(2000)),
                            static_cast<double>(input_.Chance() ? 1 + input_.Size(500) : 0));
    }
  }

  void Dial() {
    if (input_.Pick(4) == 0) return script_->CancelDial(script_->last_dial());
    if (script_->last_dial() == kMaxDials) return;
    const std::size_t kind = input_.Pick(8);
    script_->Dial(kind == 0 ? "nowhere" : "127.0.0.1", kind == 1 ? kNobody : port_,
                  static_cast<double>(input_.Size(3000)));
  }

  void StepAll() {
    switch (input_.Pick(6)) {
      case 0:
        accepting_ = false;
        return script_->TellAll(Operation::kQuiesce, input_.Chance() ? bridge::kReadOn : 0);
      case 1:
        return script_->TellAll(Operation::kCloseAll,
                                static_cast<std::int32_t>(CloseReason::kShutdown));
      case 2:
        return script_->TellAll(Operation::kAbortAll,
                                static_cast<std::int32_t>(CloseReason::kShutdown));
      default:
        return;
    }
  }

  // --- the end --------------------------------------------------------------------

  // Everybody reads, time passes and nothing fails any more: all comes to an end.
  void WindUp() {
    kernel_.SetFaults(nullptr);
    kernel_.SetDescriptorLimit(10'000);
    kernel_.FinishHandshakes();
    Settle(300);  // whoever waits to be accepted is
    for (auto& [key, seen] : script_->open()) script_->Tell(Operation::kResume, seen);
    Settle(300);
    script_->RequireNothingUnread();
    script_->TellAll(Operation::kQuiesce);
    Settle(300);
    Require(script_->quiesced(), "a loop that was asked to quiesce says when it has");
    script_->TellAll(Operation::kCloseAll, static_cast<std::int32_t>(CloseReason::kShutdown));
    Settle(20'000);
    Require(script_->open().empty(), "every connection that opened has closed");
    Require(loop_->connection_count() == 0, "no slot is left in use");
    Require(script_->dials() == 0, "every dial has had its outcome");
    for (std::uint32_t id = 0; id < 4; ++id) script_->TellTimer(Operation::kTimerCancel, id);
    Settle(0);
    Require(!loop_->NextDeadline(), "no deadline is left");
  }

  void Settle(std::uint64_t milliseconds) {
    const std::uint64_t end = kernel_.now() + FromMilliseconds(milliseconds);
    do {
      kernel_.AdvanceMilliseconds(milliseconds / 30);
      int turns = 0;
      for (int calm = 0; calm < 3; ++turns) {
        for (auto& [port, peer] : peers_) {
          if (peer.gone) continue;
          peer.socket.SetWindow(1 << 20);
          Receive(peer, ~std::size_t{0});
        }
        script_->ReadAll();
        script_->Publish();
        calm = loop_->Turn(0) ? 0 : calm + 1;
        Require(turns < 100'000, "the loop comes to rest");
      }
    } while (kernel_.now() < end);
  }

  void Stop() {
    script_.reset();
    loop_.reset();
    bridge_.reset();
    Require(kernel_.open_descriptors() == 0, "every descriptor was closed");
    Require(kernel_.misuses() == 0, "no call on a descriptor of somebody else");
    Require(kernel_.stuck_waits() == 0, "the loop never sleeps for ever");
    Require(reactor::Ledger::IsEmpty(), "the ledger is empty");
  }

  FuzzInput input_;
  FuzzFaults faults_;
  test::MockKernel kernel_;
  FuzzFraming framing_;
  std::size_t slabs_;
  std::uint16_t port_ = 0;
  bool accepting_ = true;
  std::map<std::uint16_t, Link> links_;
  std::map<std::uint16_t, Peer> peers_;
  std::optional<bridge::LoopBridge> bridge_;
  std::optional<reactor::EventLoop> loop_;
  std::optional<Script> script_;
};

}  // namespace
}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::World world(fuzz::FuzzInput(data, size));
  world.Run();
  return 0;
}
