// A server and its peers do whatever a seed says, while the kernel fails as the seed says; a model
// of what was sent knows what must arrive. Beside the fixed seeds each run takes a fresh one, and
// says which; one that failed becomes a fixed one. The invariants:
//   * a connection's events come as open, bytes, end, close; each connection closes exactly once
//     (RecordingHandler checks the order)
//   * bytes arrive in order, each once: a prefix of what was sent, and all of it unless somebody
//     aborted
//   * in the end nothing is open (MockHarness checks it), and the loop never spins
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "reactor/connection.h"
#include "test/support/mock_harness.h"

namespace {

using reactor::CloseReason;
using reactor::Connection;
using reactor::FromMilliseconds;
using test::MockHarness;
using test::MockPeer;
using test::RandomFaults;

/// One client, and what the model knows of its connection.
struct Client {
  explicit Client(MockPeer p) : peer(std::move(p)) {}

  MockPeer peer;
  std::string sent;  // what the server's kernel took of it
  std::string received;
  bool hung_up = false;  // closed or reset by itself: nothing is known of what it did not read
  bool ended = false;    // sent FIN

  std::string queued;    // what the server has sent to it
  bool aborted = false;  // by the server's application
  bool sends = true;     // the server may send still
};

class World {
 public:
  explicit World(std::uint64_t seed)
      : random_(seed), faults_(seed, RatesOf(seed)), harness_(OptionsOf(seed)) {
    harness_.handler.close_on_end = seed % 3 != 0;
    harness_.handler.read_size = seed % 2 == 0 ? 512 : 65536;
    harness_.handler.piece_size = seed % 4 == 0 ? 100 : 0;
    const auto meddle = [this](Connection& connection) {
      if (Chance(10)) ActOn(connection);
      if (Chance(10)) ActOnSomebody();
    };
    harness_.handler.on_open = [this, meddle](Connection& connection) {
      open_[connection.remote().port()] = {connection.slot(), connection.generation()};
      meddle(connection);
    };
    harness_.handler.on_close = [this, meddle](Connection& connection) {
      meddle(connection);
      open_.erase(connection.remote().port());
    };
    harness_.handler.on_read = harness_.handler.on_end = meddle;
    harness_.handler.on_drain = harness_.handler.on_flushed = meddle;
    harness_.handler.on_timer = [this](reactor::TimerId id) {
      if (Chance(80)) harness_.loop().timers().Acknowledge(id);
    };
    harness_.kernel.SetFaults(&faults_);
  }

  void Run(int steps) {
    for (int i = 0; i < steps; ++i) {
      Step();
      for (auto turns = random_() % 3; turns > 0; --turns) harness_.Turn();
    }
    WindUp();
    Check();
  }

 private:
  static RandomFaults::Rates RatesOf(std::uint64_t seed) {
    switch (seed % 4) {
      case 0:
        return {};
      case 1:
        return {.interrupted = 100, .would_block = 100, .short_io = 300};
      case 2:
        return {
            .interrupted = 50, .would_block = 50, .short_io = 100, .no_memory = 50, .broken = 1};
      default:
        return {.interrupted = 200,
                .would_block = 200,
                .short_io = 800,
                .no_memory = 20,
                .no_descriptor = 100,
                .aborted = 100,
                .broken = 3};
    }
  }

  static reactor::LoopOptions OptionsOf(std::uint64_t seed) {
    reactor::LoopOptions options;
    options.connection.high_water_mark = 20'000;
    options.connection.low_water_mark = 5'000;
    options.connection.max_send_buffer = seed % 5 == 0 ? 60'000 : 10'000'000;
    options.connection.idle_timeout = seed % 2 == 0 ? FromMilliseconds(3000) : 0;
    options.connection.incomplete_frame_timeout = seed % 3 == 0 ? FromMilliseconds(2000) : 0;
    // Long enough never to interfere: their own tests look at them.
    options.connection.close_timeout = FromMilliseconds(1'000'000'000);
    options.connection.half_close_timeout = FromMilliseconds(1'000'000'000);
    return options;
  }

  bool Chance(unsigned percent) { return random_() % 100 < percent; }

  std::string Bytes(std::size_t size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random_());
    return bytes;
  }

  // --- what may happen ---------------------------------------------------------------------------

  void Step() {
    switch (random_() % 16) {
      case 0:
        if (open_.size() < 30) {
          MockPeer peer = harness_.kernel.Dial(harness_.port);
          if (Chance(50)) peer.SetWindow(1 + random_() % 5000);
          clients_.emplace(peer.port(), Client(std::move(peer)));
        }
        break;
      case 1:
        harness_.handler.SetRoom(Chance(50) ? test::RecordingHandler::kUnlimited
                                            : static_cast<int>(random_() % 6));
        break;
      case 2:
        harness_.kernel.Advance(random_() % 20'000'000);
        break;
      case 3:
        StepTimers();
        break;
      case 4:
      case 5:
      case 6:
      case 7:
      case 8:
        ActOnSomebody();
        break;
      default:
        if (!clients_.empty()) StepClient(Any(clients_));
        break;
    }
  }

  template <typename Map>
  typename Map::mapped_type& Any(Map& map) {
    return std::next(map.begin(), static_cast<std::ptrdiff_t>(random_() % map.size()))->second;
  }

  void StepTimers() {
    const auto id = static_cast<reactor::TimerId>(random_() % 5);
    harness_.loop().timers().Cancel(id);
    if (Chance(70)) {
      harness_.loop().timers().Start(id, random_() % 100'000'000,
                                     Chance(50) ? 1 + random_() % 50'000'000 : 0);
    }
  }

  void StepClient(Client& client) {
    if (client.hung_up) return;
    switch (random_() % 20) {
      case 0:
        client.peer.ShutdownWrite();
        client.ended = true;
        break;
      case 1:
        if (!Chance(30)) break;
        client.hung_up = true;
        if (Chance(50)) {
          client.peer.Reset();
        } else {
          client.peer.Close();
        }
        break;
      default:
        if (Chance(50)) {
          client.received += client.peer.Receive(random_() % 20'000);
        } else if (Chance(10)) {
          client.peer.SendUrgent();
        } else if (!client.ended) {
          const std::string bytes = Bytes(1 + random_() % 5000);
          client.sent += bytes.substr(0, client.peer.Send(bytes));
        }
    }
  }

  void ActOnSomebody() {
    if (open_.empty()) return;
    const auto [slot, generation] = Any(open_);
    if (Connection* const connection = harness_.loop().Find(slot, generation)) ActOn(*connection);
  }

  void ActOn(Connection& connection) {
    Client& client = clients_.at(connection.remote().port());
    switch (random_() % 24) {
      case 0:
        connection.Close(CloseReason::kLocal);
        client.sends = false;
        break;
      case 1:
        if (!Chance(20)) break;
        if (connection.state() != Connection::State::kClosed) client.aborted = true;
        connection.Abort(CloseReason::kLocal);
        break;
      case 2:
        connection.ShutdownWrite();
        client.sends = false;
        break;
      case 3:
      case 4:
        connection.Pause();
        break;
      case 5:
      case 6:
      case 7:
      case 8:
        connection.Resume();
        break;
      case 9:
        connection.NotifyFlushed();
        break;
      case 10:
        connection.NotifyDrained();
        break;
      case 11:
      case 12:
        connection.SetKeptInput(Chance(50) ? test::IncompleteFrame(1) : reactor::KeptInput{});
        break;
      default:
        Send(connection, client);
    }
  }

  void Send(Connection& connection, Client& client) {
    const std::string bytes = Bytes(random_() % (Chance(10) ? 30'000 : 1000));
    // In pieces, some of them empty.
    std::vector<std::span<const std::byte>> parts;
    auto rest = std::as_bytes(std::span(bytes.data(), bytes.size()));
    while (!rest.empty()) {
      const std::size_t size = std::min<std::size_t>(rest.size(), random_() % 3000);
      parts.push_back(rest.first(size));
      rest = rest.subspan(size);
    }
    if (client.sends && connection.state() == Connection::State::kOpen) client.queued += bytes;
    connection.Send(parts);
  }

  // --- the end -----------------------------------------------------------------------------------

  void WindUp() {
    harness_.kernel.SetFaults(nullptr);
    harness_.handler.SetRoom(test::RecordingHandler::kUnlimited);
    for (auto& [port, client] : clients_) {
      if (!client.hung_up) client.peer.SetWindow(1 << 20);
    }
    harness_.Sleep(200);  // retries after ENOBUFS, accepts after EMFILE
    harness_.loop().Quiesce();
    harness_.Settle();
    EXPECT_EQ(harness_.handler.quiesced(), 1);
    harness_.loop().CloseAll(CloseReason::kShutdown);
    for (int i = 0; i < 200; ++i) {
      for (auto& [port, client] : clients_) {
        if (client.hung_up) continue;
        client.received += client.peer.Receive();
        if (client.peer.saw_end()) client.peer.ShutdownWrite();
      }
      harness_.Settle();
    }
    for (reactor::TimerId id = 0; id < 5; ++id) harness_.loop().timers().Cancel(id);
  }

  void Check() {
    EXPECT_EQ(harness_.loop().connection_count(), 0U);
    EXPECT_TRUE(open_.empty());
    std::map<std::uint16_t, int> seen;
    for (const auto& record : harness_.handler.records()) {
      SCOPED_TRACE("connection of port " + std::to_string(record.remote_port));
      EXPECT_EQ(record.closes, 1);
      EXPECT_EQ(++seen[record.remote_port], 1);
      CheckBytes(record, clients_.at(record.remote_port));
    }
  }

  static void CheckBytes(const test::ConnectionRecord& record, const Client& client) {
    EXPECT_TRUE(client.sent.starts_with(record.received)) << "received bytes differ";
    EXPECT_TRUE(client.queued.starts_with(client.received)) << "sent bytes differ";
    EXPECT_LE(record.flushed, client.queued.size());
    if (record.ends == 1) {
      EXPECT_EQ(record.received.size(), client.sent.size()) << "bytes before FIN got lost";
    }
    const bool graceful = record.reason == CloseReason::kPeer ||
                          record.reason == CloseReason::kLocal ||
                          record.reason == CloseReason::kShutdown;
    if (!graceful || client.aborted || client.hung_up || client.peer.saw_reset()) return;
    EXPECT_EQ(client.received.size(), client.queued.size()) << "output was not flushed";
    EXPECT_TRUE(client.peer.saw_end());
  }

  std::mt19937_64 random_;
  RandomFaults faults_;
  std::map<std::uint16_t, Client> clients_;                                // by the client's port
  std::map<std::uint16_t, std::pair<std::uint32_t, std::uint32_t>> open_;  // slot, generation
  MockHarness harness_;  // last: its end calls the handler no more
};

void RunModel(std::uint64_t seed) {
  World world(seed);
  world.Run(3000);
}

class ModelTest : public testing::TestWithParam<std::uint64_t> {};

TEST_P(ModelTest, S10_HoldsItsInvariantsWhateverHappens) { RunModel(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Seeds, ModelTest, testing::Range<std::uint64_t>(1, 31));

/// Those of GEV_MODEL_SEEDS, or a few that nobody has tried: their number is GEV_MODEL_FRESH_SEEDS.
std::vector<std::uint64_t> FreshSeeds() {
  std::vector<std::uint64_t> seeds;
  // NOLINTBEGIN(concurrency-mt-unsafe): no other thread runs
  if (const char* const given = std::getenv("GEV_MODEL_SEEDS")) {
    std::istringstream list(given);
    for (std::uint64_t seed = 0; list >> seed;) seeds.push_back(seed);
    return seeds;
  }
  const char* const count = std::getenv("GEV_MODEL_FRESH_SEEDS");
  // NOLINTEND(concurrency-mt-unsafe)
  std::random_device source;
  seeds.resize(count == nullptr ? 1 : std::stoul(count));
  for (std::uint64_t& seed : seeds) seed = source();
  return seeds;
}

TEST(FreshModelTest, S10_HoldsItsInvariantsWithSeedsNobodyHasTried) {
  for (const std::uint64_t seed : FreshSeeds()) {
    // Before it runs: should it end the process, its name is known.
    std::cout << "GEV_MODEL_SEEDS=" << seed << '\n' << std::flush;
    SCOPED_TRACE("replay with GEV_MODEL_SEEDS=" + std::to_string(seed));
    RunModel(seed);
    if (HasFailure()) return;
  }
}

}  // namespace
