#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bridge/loop_bridge.h"
#include "bridge/slab.h"
#include "fuzz/mock/link.h"
#include "fuzz/require.h"
#include "protocol/framer.h"
#include "test/support/frame_reader.h"

namespace fuzz {

/// What the script knows of a connection that was announced to it.
struct Seen {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  std::uint16_t client_port = 0;
  bool dialled = false;
  bool ended = false;
  bool may_send = true;       // neither closed nor shut down by the script
  bool leaving = false;       // it may close by itself: nobody knows whether what is sent leaves
  std::uint64_t flushed = 0;  // bytes the kernel took, as told
  std::size_t messages = 0;
  std::size_t fed = 0;  // bytes of the incoming stream that `reader` has seen
  std::unique_ptr<test::FrameReader> reader;
};

/// Plays JavaScript on the loop's thread: reads the event stream, holds it to the contract (open <
/// messages < end < close, each once; frames in order) and writes records.
class Script {
 public:
  /// All must outlive it; the slabs are those of the bridge.
  Script(bridge::LoopBridge& bridge, const protocol::Framer& framer,
         std::vector<std::byte*> inbound, std::vector<std::byte*> outbound,
         std::map<std::uint16_t, Link>& links)
      : bridge_(bridge),
        framer_(framer),
        inbound_(std::move(inbound)),
        outbound_(std::move(outbound)),
        links_(links) {}

  // --- events ---------------------------------------------------------------------

  /// Takes the next slab and reads it; keeps it until Release(). False: there was none.
  bool Take() {
    const std::int32_t slab = bridge_.inbound().Take();
    if (slab < 0) return false;
    const std::byte* const memory = inbound_[static_cast<std::size_t>(slab)];
    const auto count = static_cast<std::size_t>(bridge::LoadWord(memory));
    Require(count > 0 && count <= bridge::kDescriptorCapacity, "a slab has descriptors");
    for (std::size_t i = 0; i < count; ++i) {
      bridge::EventDescriptor event{};
      std::memcpy(&event, memory + bridge::kSlabHeader + i * bridge::kDescriptorSize, sizeof event);
      Require(event.kind == bridge::EventKind::kLarge ||
                  std::size_t{event.offset} + event.length <= bridge::kSlabSize,
              "data within the slab");
      OnEvent(event, {reinterpret_cast<const char*>(memory) + event.offset, event.length});
    }
    taken_.push_back(slab);
    return true;
  }
  void Release() {
    if (taken_.empty()) return;
    bridge_.inbound().Release(taken_.front());
    taken_.pop_front();
  }
  void ReadAll() {
    do {
      while (!taken_.empty()) Release();
    } while (Take());
  }

  // --- records --------------------------------------------------------------------

  void Send(Seen& to, std::string_view bytes, std::int32_t flags) {
    if (to.leaving) return;
    if (to.may_send) Outgoing(to).sent += bytes;
    Write(bridge::Operation::kSend, flags, to.slot, to.generation, bytes);
  }
  void Multicast(std::string_view bytes) {
    std::string pairs;
    std::uint32_t receivers = 0;
    for (auto& [key, seen] : open_) {
      if (seen.leaving) continue;
      ++receivers;
      if (seen.may_send) Outgoing(seen).sent += bytes;
      const std::uint32_t pair[] = {seen.slot, seen.generation};
      pairs.append(reinterpret_cast<const char*>(pair), sizeof pair);
    }
    Write(bridge::Operation::kMulticast, 0, receivers, 0, bytes, pairs);
  }
  void Tell(bridge::Operation operation, Seen& whom, std::int32_t argument = 0) {
    using bridge::Operation;
    if (operation != Operation::kPause && operation != Operation::kResume) whom.may_send = false;
    Write(operation, argument, whom.slot, whom.generation);
  }
  void Leave(Seen& whom, std::size_t milliseconds) {
    const auto quiet = static_cast<double>(milliseconds);
    whom.may_send = false;
    whom.leaving = true;
    Write(bridge::Operation::kLeave, static_cast<std::int32_t>(reactor::CloseReason::kShutdown),
          whom.slot, whom.generation, {reinterpret_cast<const char*>(&quiet), sizeof quiet});
  }
  void TellAll(bridge::Operation operation, std::int32_t argument = 0) {
    if (operation == bridge::Operation::kQuiesce) {
      quiesce_asked_ = true;
    } else {
      told_all_ = true;
      for (auto& [key, seen] : open_) seen.may_send = false;
    }
    Write(operation, argument, 0, 0);
  }
  void StartTimer(std::uint32_t id, double delay, double interval) {
    const double times[] = {delay, interval};
    timers_.insert(id);
    Write(bridge::Operation::kTimerCancel, 0, id, 0);
    Write(bridge::Operation::kTimerStart, 0, id, 0,
          {reinterpret_cast<const char*>(times), sizeof times});
  }
  void TellTimer(bridge::Operation operation, std::uint32_t id) { Write(operation, 0, id, 0); }
  void Dial(const std::string& host, std::int32_t port, double timeout) {
    std::string payload(sizeof timeout + sizeof port, '\0');
    std::memcpy(payload.data(), &timeout, sizeof timeout);
    std::memcpy(payload.data() + sizeof timeout, &port, sizeof port);
    dials_.insert(++last_dial_);
    Write(bridge::Operation::kDial, 0, last_dial_, 0, payload + host);
  }
  void CancelDial(std::uint32_t token) { Write(bridge::Operation::kDialCancel, 0, token, 0); }
  void Publish() { bridge_.mailbox().Publish(); }

  /// Nobody keeps the loop from reading: what peers have sent on connections that are open has
  /// come.
  void RequireNothingUnread() {
    if (quiesce_asked_ || told_all_)
      return;  // what came later, or was not announced then, is not read
    for (auto& [key, seen] : open_) {
      if (seen.may_send && peers_.contains(seen.client_port)) RequireAllArrived(seen);
    }
  }

  // --- what it knows --------------------------------------------------------------

  [[nodiscard]] std::map<std::uint64_t, Seen>& open() { return open_; }
  [[nodiscard]] std::size_t dials() const { return dials_.size(); }
  [[nodiscard]] std::uint32_t last_dial() const { return last_dial_; }
  [[nodiscard]] bool quiesced() const { return quiesced_; }
  /// This client is a peer of the kernel's: before its FIN comes all that its kernel took.
  void MarkPeer(std::uint16_t client_port) { peers_.insert(client_port); }

 private:
  static std::uint64_t KeyOf(const bridge::EventDescriptor& event) {
    return std::uint64_t{event.generation} << 32U | event.subject;
  }
  Stream& Outgoing(const Seen& seen) {
    Link& link = links_[seen.client_port];
    return seen.dialled ? link.to_server : link.to_client;
  }
  Stream& Incoming(const Seen& seen) {
    Link& link = links_[seen.client_port];
    return seen.dialled ? link.to_client : link.to_server;
  }

  void OnEvent(const bridge::EventDescriptor& event, std::string_view data) {
    using bridge::EventKind;
    switch (event.kind) {
      case EventKind::kOpen:
        return OnOpen(event);
      case EventKind::kTimer:
        return Require(timers_.contains(event.subject), "a timer that was started");
      case EventKind::kQuiesced:
        Require(quiesce_asked_ && !quiesced_, "quiesced once, when asked");
        quiesced_ = true;
        return;
      case EventKind::kFailure:
        return Require(event.a <= 1, "a known failure");
      case EventKind::kDialFailed:
        Require(dials_.erase(event.subject) == 1, "one outcome of each dial");
        Require(event.a != 0, "a dial fails with an error");
        return;
      default:
        break;
    }
    const auto it = open_.find(KeyOf(event));
    Require(it != open_.end(), "an event of an open connection");
    Seen& seen = it->second;
    switch (event.kind) {
      case EventKind::kMessage:
      case EventKind::kText:
        return OnMessage(seen, event, data);
      case EventKind::kLarge: {
        const bridge::LargeFrame frame = bridge_.TakeLarge(event.a);
        Require(frame.size == event.length, "a large frame is what was announced");
        return OnMessage(seen, event,
                         {reinterpret_cast<const char*>(frame.bytes().data()), frame.size});
      }
      case EventKind::kEnd:
        Require(!std::exchange(seen.ended, true), "one end");
        if (peers_.contains(seen.client_port)) RequireAllArrived(seen);
        return;
      case EventKind::kDrain:
        return;
      case EventKind::kIdle:
        return Write(bridge::Operation::kExpireIdle, 0, event.subject, event.generation);
      case EventKind::kFlushed: {
        const std::uint64_t written = std::uint64_t{event.b} << 32U | event.a;
        Require(written >= seen.flushed && written <= Outgoing(seen).sent.size(),
                "flushed is what was sent");
        seen.flushed = written;
        return;
      }
      case EventKind::kClose:
        open_.erase(it);
        return;
      default:
        Require(false, "a known event");
    }
  }

  void OnOpen(const bridge::EventDescriptor& event) {
    const auto remote = static_cast<std::uint16_t>(event.a);
    const auto local = static_cast<std::uint16_t>(event.a >> 16U);
    const std::uint32_t token = event.c >> 8U;
    Seen seen;
    seen.slot = event.subject;
    seen.generation = event.generation;
    seen.dialled = token != 0;
    seen.client_port = seen.dialled ? local : remote;
    seen.reader = std::make_unique<test::FrameReader>(framer_);
    if (seen.dialled) Require(dials_.erase(token) == 1, "one outcome of each dial");
    Require(open_.emplace(KeyOf(event), std::move(seen)).second, "opened once");
  }

  void OnMessage(Seen& seen, const bridge::EventDescriptor& event, std::string_view data) {
    Require(!seen.ended, "no message after the end");
    Stream& incoming = Incoming(seen);
    if (framer_.content() == protocol::FrameContent::kChunks) {
      Require(!data.empty(), "a chunk has bytes");
      return incoming.Arrive(data);
    }
    const std::vector<test::Frame>& frames = FramesOf(seen);
    Require(seen.messages < frames.size(), "no frame that was not sent");
    const test::Frame& frame = frames[seen.messages++];
    Require(frame.payload == data, "frames in order, once");
    Require(frame.ascii == ((event.b & 1U) != 0), "ASCII is known");
    if (event.kind == bridge::EventKind::kText && event.a != 0) {
      Require(event.c + (event.b >> 1U) < event.length, "the parts lie in the packet");
    }
  }

  const std::vector<test::Frame>& FramesOf(Seen& seen) {
    const std::string& sent = Incoming(seen).sent;
    seen.reader->Feed(std::string_view(sent).substr(seen.fed));
    seen.fed = sent.size();
    return seen.reader->frames();
  }

  void RequireAllArrived(Seen& seen) {
    if (framer_.content() == protocol::FrameContent::kChunks) {
      Require(Incoming(seen).received == Incoming(seen).sent.size(), "all bytes before the end");
    } else {
      Require(seen.messages == FramesOf(seen).size(), "all frames before the end");
    }
  }

  void Write(bridge::Operation operation, std::int32_t argument, std::uint32_t slot,
             std::uint32_t generation, std::string_view payload = {}, std::string_view pairs = {}) {
    const std::size_t size =
        bridge::kRecordHeader + bridge::PaddedTo4(payload.size()) + pairs.size();
    if (Used() + size > bridge::kSlabSize) Publish();
    std::byte* const slab = OpenSlab();
    const std::size_t used = Used();
    const bridge::Record record{static_cast<std::int32_t>(operation) | argument << 8, slot,
                                generation, static_cast<std::uint32_t>(payload.size())};
    std::memcpy(slab + used, &record, sizeof record);
    if (!payload.empty()) {
      std::memcpy(slab + used + bridge::kRecordHeader, payload.data(), payload.size());
    }
    if (!pairs.empty()) {
      std::memcpy(slab + used + size - pairs.size(), pairs.data(), pairs.size());
    }
    bridge::StoreWord(slab, static_cast<std::int32_t>(used + size));
  }
  std::byte* OpenSlab() { return outbound_[static_cast<std::size_t>(bridge_.mailbox().open())]; }
  std::size_t Used() { return static_cast<std::size_t>(bridge::LoadWord(OpenSlab())); }

  bridge::LoopBridge& bridge_;
  const protocol::Framer& framer_;
  std::vector<std::byte*> inbound_;
  std::vector<std::byte*> outbound_;
  std::map<std::uint16_t, Link>& links_;
  std::deque<std::int32_t> taken_;
  std::map<std::uint64_t, Seen> open_;
  std::set<std::uint16_t> peers_;
  std::set<std::uint32_t> timers_;
  std::set<std::uint32_t> dials_;  // without an outcome
  std::uint32_t last_dial_ = 0;
  bool quiesce_asked_ = false;
  bool quiesced_ = false;
  bool told_all_ = false;  // to close or to abort
};

}  // namespace fuzz
