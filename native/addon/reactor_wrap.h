#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "addon/errors.h"
#include "addon/inline_driver.h"
#include "bridge/loop_bridge.h"
#include "protocol/framer.h"
#include "protocol/proxy_header.h"
#include "reactor/loop_group.h"

namespace addon {

class Environment;

/// JavaScript's `NativeReactor`, of a server or a client: a LoopGroup, a bridge for each loop, and
/// the driver that brings their batches to JavaScript. src/engine/native/binding.ts is its typed
/// picture.
///
/// Holds references to itself, the callback and the memory from construction to Stop(), or to a
/// start that fails: a forgotten object must not be collected into a silent stop.
/// JavaScript's thread only.
class ReactorWrap final : public Napi::ObjectWrap<ReactorWrap> {
 public:
  static Napi::Function Define(Napi::Env env);

  explicit ReactorWrap(const Napi::CallbackInfo& info);
  ~ReactorWrap() override;

  [[nodiscard]] Environment& environment() noexcept { return *environment_; }
  [[nodiscard]] bool IsRunning() const noexcept { return group_ != nullptr; }
  [[nodiscard]] bool threaded() const noexcept { return !host_driven_; }

  /// Gives JavaScript the events of one loop, the next in turn that has any, until none is left or
  /// it is `until` (in ns, of the monotonic clock), and hands over what JavaScript wrote. What is
  /// left of a slab is delivered when its loop's turn comes again. False: no loop has events.
  bool DeliverSlice(reactor::Nanoseconds until);
  /// Joins the loops and closes everything. Idempotent; safe inside a batch.
  void Stop() noexcept;

 private:
  /// What a method throws must not reach Node-API's frames: it becomes JavaScript's.
  template <Napi::Value (ReactorWrap::*Method)(const Napi::CallbackInfo&)>
  Napi::Value Guarded(const Napi::CallbackInfo& info) {
    try {
      return (this->*Method)(info);
    } catch (const std::exception& error) {
      ThrowAsJavaScript(info.Env(), error);
      return info.Env().Undefined();
    }
  }

  Napi::Value Listen(const Napi::CallbackInfo& info);
  Napi::Value SetTls(const Napi::CallbackInfo& info);
  Napi::Value ExpectProxy(const Napi::CallbackInfo& info);
  Napi::Value SetAccess(const Napi::CallbackInfo& info);
  Napi::Value Start(const Napi::CallbackInfo& info);
  Napi::Value Publish(const Napi::CallbackInfo& info);
  Napi::Value Flush(const Napi::CallbackInfo& info);
  Napi::Value BytesWritten(const Napi::CallbackInfo& info);
  Napi::Value BytesReceived(const Napi::CallbackInfo& info);
  Napi::Value CountOf(const Napi::CallbackInfo& info, std::uint64_t reactor::ByteCounts::* count);
  Napi::Value TakeLarge(const Napi::CallbackInfo& info);
  Napi::Value Stats(const Napi::CallbackInfo& info);
  Napi::Value StopFromJs(const Napi::CallbackInfo& info);
  Napi::Value HoldFromJs(const Napi::CallbackInfo& info);

  void Construct(const Napi::CallbackInfo& info);
  void Configure(const Napi::Object& options);
  [[nodiscard]] static std::shared_ptr<reactor::SecureContextSlot> SecurityOf(
      const Napi::Value& options);
  /// Builds the loops and their bridges, unless that has been done, to be listened with and
  /// started. False: that is not possible, and JavaScript has been told.
  bool Build();
  std::vector<std::byte*> HoldBuffers(const Napi::Array& buffers, std::size_t first,
                                      std::size_t count);
  /// A slab that JavaScript has, and which of its events are still to be delivered.
  struct Delivery {
    std::int32_t slab = -1;  // -1: none
    std::uint32_t next = 0;
    std::uint32_t end = 0;
  };

  /// What listeners want to read in front of a connection, and from whom.
  struct Proxying {
    protocol::ProxyVersions versions;
    reactor::AddressRanges trusted;
  };

  /// What JavaScript did: started handlers for what came, queued it for want of time, or stopped
  /// the reactor.
  enum class Outcome : std::uint8_t { kStarts, kQueues, kStopped };

  /// How far JavaScript has read a slab, and whether it only queues messages from now on.
  struct Reading {
    std::uint32_t next;
    bool queues;
  };

  bool HasEvents(std::uint32_t loop);
  Outcome DeliverPart(std::uint32_t loop);
  Reading CallBatch(std::uint32_t loop, std::int32_t slab, std::uint32_t first, std::uint32_t end);
  /// Drops every reference to a JavaScript object, its own included. The callback leads back to the
  /// object through what it closes over: as long as it is referenced, nothing of either is ever
  /// collected. Idempotent; not within a batch, which uses the memory they keep.
  void ReleaseJavaScript() noexcept;
  /// Whether the driver keeps the process alive. Idempotent; only while running.
  void Hold(bool hold) noexcept;
  void PublishLoop(std::size_t loop);
  void PublishAll();
  [[nodiscard]] bool CheckRunning(Napi::Env env) const;

  Environment* environment_;
  bool host_driven_ = false;
  std::size_t loop_count_ = 0;
  reactor::GroupOptions options_;
  // Of connections that are dialled, and of listeners without their own; then those of listeners.
  std::vector<std::unique_ptr<const protocol::Framer>> framers_;
  std::vector<std::shared_ptr<reactor::SecureContextSlot>> security_;  // of listeners; or null
  std::optional<Proxying> proxying_;                                   // of the next listener
  std::vector<std::string> patterns_;  // JSON texts of those that are handled
  std::vector<std::unique_ptr<bridge::LoopBridge>> bridges_;
  std::unique_ptr<reactor::LoopGroup> group_;
  std::unique_ptr<InlineDriver> inline_driver_;
  std::vector<Delivery> deliveries_;  // one a loop
  std::uint32_t next_loop_ = 0;       // whose turn it is
  std::uint32_t events_a_call_ = 4;
  reactor::Nanoseconds last_call_ = 0;  // how long JavaScript was at work
  reactor::Nanoseconds handed_over_at_ = 0;
  // int32 words shared with JavaScript: [0] 1 while a batch is delivered, [1 + loop] the loop's
  // open outbound slab. Null once the references to JavaScript are gone.
  std::int32_t* control_ = nullptr;
  /// Of JavaScript's objects, held while it runs: buffers, the listener and itself.
  [[nodiscard]] std::ptrdiff_t References() const noexcept {
    return static_cast<std::ptrdiff_t>(buffers_.size()) + 2;
  }
  std::vector<Napi::Reference<Napi::ArrayBuffer>> buffers_;  // slabs and control words
  std::vector<std::vector<std::byte*>> inbound_;
  std::vector<std::vector<std::byte*>> outbound_;
  Napi::FunctionReference on_batch_;
  napi_async_context async_context_ = nullptr;
  bool started_ = false;
  bool holds_itself_ = false;
  bool holds_process_ = false;
};

}  // namespace addon
