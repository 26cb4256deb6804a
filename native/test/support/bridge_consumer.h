#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "bridge/doorbell.h"
#include "bridge/loop_bridge.h"
#include "protocol/framer.h"
#include "reactor/loop_group.h"
#include "test/support/wait_until.h"

namespace test {

/// A doorbell whose owner sleeps until it rings.
class WaitableDoorbell final : public bridge::Doorbell {
 public:
  bool Wait() {
    std::unique_lock lock(mutex_);
    return condition_.wait_for(lock, kDeadline, [this] { return std::exchange(rung_, false); });
  }

 protected:
  void WakeUp() noexcept override {
    const std::scoped_lock lock(mutex_);
    rung_ = true;
    condition_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool rung_ = false;
};

/// Loops on threads with their bridges, and the one who plays JavaScript: takes batches, answers,
/// publishes.
class BridgeConsumer {
 public:
  explicit BridgeConsumer(const protocol::Framer& framer, std::size_t loops = 1,
                          const reactor::GroupOptions& options = {},
                          const protocol::Framer* second = nullptr) {
    std::vector<reactor::LoopHandler*> handlers;
    for (std::size_t i = 0; i < loops; ++i) {
      inbound_of_.push_back(slabs_.size());
      std::vector<std::byte*> inbound = Memory(kInbound);
      outbound_of_.push_back(slabs_.size());
      std::vector<std::byte*> outbound = Memory(kOutbound);
      bridges_.push_back(std::make_unique<bridge::LoopBridge>(
          framer, &doorbell_, std::move(inbound), std::move(outbound)));
      handlers.push_back(bridges_.back().get());
    }
    group_ = std::make_unique<reactor::LoopGroup>(options, handlers);
    for (std::size_t i = 0; i < loops; ++i) bridges_[i]->Attach(group_->loop(i));
    address_ = group_->Listen(reactor::Endpoint::FromAddress("127.0.0.1", 0));
    // A second listener, where there is a framing for it.
    if (second != nullptr) {
      for (const auto& bridge : bridges_) bridge->FrameListener(1, *second);
      second_address_ = group_->Listen(reactor::Endpoint::FromAddress("127.0.0.1", 0));
    }
    group_->Start();
  }

  [[nodiscard]] const reactor::Endpoint& address() const { return address_; }
  [[nodiscard]] std::uint16_t port() const { return address_.port(); }
  [[nodiscard]] std::uint16_t second_port() const { return second_address_.port(); }

  /// Reads events until `done`; `on_event(loop, descriptor, data)` may call Send().
  using Listener = std::function<void(std::size_t, const bridge::EventDescriptor&, std::string)>;
  bool ReadUntil(const std::function<bool()>& done, const Listener& on_event) {
    while (!done()) {
      doorbell_.BeginRound();
      for (std::size_t i = 0; i < bridges_.size(); ++i) ReadAll(i, on_event);
      if (!done() && doorbell_.TryIdle() && !doorbell_.Wait()) return false;
    }
    return true;
  }

  void Send(std::size_t loop, const bridge::EventDescriptor& to, const std::string& data) {
    Write(loop, static_cast<std::int32_t>(bridge::Operation::kSend), to, data);
  }
  /// `port` -1: a path.
  void Dial(std::size_t loop, std::uint32_t token, const std::string& address, std::int32_t port) {
    const double timeout = 5000;
    std::string payload(sizeof timeout + sizeof port, '\0');
    std::memcpy(payload.data(), &timeout, sizeof timeout);
    std::memcpy(payload.data() + sizeof timeout, &port, sizeof port);
    Write(loop, static_cast<std::int32_t>(bridge::Operation::kDial), Named(token),
          payload + address);
  }
  void CancelDial(std::size_t loop, std::uint32_t token) {
    Write(loop, static_cast<std::int32_t>(bridge::Operation::kDialCancel), Named(token), "");
  }
  static bridge::EventDescriptor Named(std::uint32_t token) {
    bridge::EventDescriptor out{};
    out.subject = token;
    return out;
  }
  void PublishAll() {
    for (std::size_t i = 0; i < bridges_.size(); ++i) Publish(i);
  }
  /// Flush, FIN, close: what the server layer does after a peer's FIN.
  void Close(std::size_t loop, const bridge::EventDescriptor& to) {
    Write(loop, static_cast<std::int32_t>(bridge::Operation::kClose), to, "");
  }

 private:
  std::vector<std::byte*> Memory(std::size_t count) {
    std::vector<std::byte*> out;
    for (std::size_t i = 0; i < count; ++i) {
      slabs_.push_back(std::make_unique<std::byte[]>(bridge::kSlabSize));
      out.push_back(slabs_.back().get());
    }
    return out;
  }

  [[nodiscard]] std::byte* OpenSlab(std::size_t loop) {
    return slabs_[outbound_of_[loop] + static_cast<std::size_t>(bridges_[loop]->mailbox().open())]
        .get();
  }

  void Write(std::size_t loop, std::int32_t operation, const bridge::EventDescriptor& to,
             const std::string& data) {
    const std::size_t size = bridge::kRecordHeader + bridge::PaddedTo4(data.size());
    if (static_cast<std::size_t>(bridge::LoadWord(OpenSlab(loop))) + size > bridge::kSlabSize)
      Publish(loop);
    std::byte* const slab = OpenSlab(loop);
    const auto used = static_cast<std::size_t>(bridge::LoadWord(slab));
    const bridge::Record record{operation, to.subject, to.generation,
                                static_cast<std::uint32_t>(data.size())};
    std::memcpy(slab + used, &record, sizeof record);
    std::memcpy(slab + used + bridge::kRecordHeader, data.data(), data.size());
    bridge::StoreWord(slab, static_cast<std::int32_t>(used + size));
  }

  void Publish(std::size_t loop) {
    if (bridges_[loop]->mailbox().Publish()) group_->loop(loop).Wake();
  }

  void ReadAll(std::size_t loop, const Listener& on_event) {
    bridge::InboundStream& inbound = bridges_[loop]->inbound();
    for (std::int32_t index = inbound.Take(); index >= 0; index = inbound.Take()) {
      const std::byte* slab = slabs_[inbound_of_[loop] + static_cast<std::size_t>(index)].get();
      const auto count = static_cast<std::size_t>(bridge::LoadWord(slab));
      for (std::size_t i = 0; i < count; ++i) {
        bridge::EventDescriptor event{};
        std::memcpy(&event, slab + bridge::kSlabHeader + i * bridge::kDescriptorSize, sizeof event);
        std::string data(event.length, '\0');
        if (event.kind == bridge::EventKind::kLarge) {
          const auto frame = bridges_[loop]->TakeLarge(event.a);
          std::memcpy(data.data(), frame.bytes().data(), frame.size);
        } else {
          std::memcpy(data.data(), slab + event.offset, event.length);
        }
        on_event(loop, event, std::move(data));
      }
      if (inbound.Release(index)) group_->loop(loop).Wake();
      Publish(loop);
    }
  }

  static constexpr std::size_t kInbound = 4;
  static constexpr std::size_t kOutbound = 4;

  WaitableDoorbell doorbell_;
  std::vector<std::unique_ptr<std::byte[]>> slabs_;
  std::vector<std::size_t> inbound_of_;
  std::vector<std::size_t> outbound_of_;
  std::vector<std::unique_ptr<bridge::LoopBridge>> bridges_;
  std::unique_ptr<reactor::LoopGroup> group_;
  reactor::Endpoint address_;
  reactor::Endpoint second_address_;
};

}  // namespace test
