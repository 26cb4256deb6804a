#include "addon/reactor_wrap.h"

#include <algorithm>
#include <array>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "addon/environment.h"
#include "addon/errors.h"
#include "addon/tls_config.h"
#include "protocol/framer_factory.h"
#include "protocol/proxy_step.h"
#include "reactor/ledger.h"
#include "reactor/secure_step.h"
#include "tls/tls_context.h"

namespace addon {
namespace {

// Events JavaScript is given at a time, at most. What it makes of them dies young then (with a
// thousand requests in flight half of their cost was the garbage collector's copying), and their
// replies are on the way while it turns to the next.
constexpr std::uint32_t kEventsACall = 32;

// A call that took longer makes the next ones smaller: whoever looks at the clock between calls is
// to come to it. Not down to single events: of a few, the server sees that the first took their
// time.
constexpr reactor::Nanoseconds kLongCall = 1'000'000;
constexpr std::uint32_t kFewEvents = 4;

// Once JavaScript starts no more handlers it is still given so many events, whatever the time:
// whoever waits there gets his turn, whoever waits here does not.
constexpr std::uint32_t kQueuedEvents = 1024;

// How long replies may wait for more of them while events are left. Each hand-over wakes somebody,
// a loop or a client, which costs as much as a request does; after a pause the first goes out at
// once.
constexpr reactor::Nanoseconds kHandOverEvery = 400'000;

double NumberOf(const Napi::Object& options, const char* name) {
  const Napi::Value value = options.Get(name);
  if (!value.IsNumber()) {
    throw std::invalid_argument(std::string("NativeReactor: the option ") + name + " is no number");
  }
  return value.As<Napi::Number>().DoubleValue();
}
std::size_t SizeOf(const Napi::Object& options, const char* name) {
  return static_cast<std::size_t>(NumberOf(options, name));
}
int IntOf(const Napi::Object& options, const char* name) {
  return static_cast<int>(NumberOf(options, name));
}
bool FlagOf(const Napi::Object& options, const char* name) {
  return options.Get(name).ToBoolean().Value();
}
reactor::Nanoseconds DurationOf(const Napi::Object& options, const char* name) {
  return reactor::FromMilliseconds(static_cast<std::uint64_t>(NumberOf(options, name)));
}

protocol::LengthFieldOptions LengthFieldOf(const Napi::Object& options) {
  const int strip = IntOf(options, "strip");
  return {.size = static_cast<std::uint8_t>(IntOf(options, "size")),
          .little_endian = FlagOf(options, "littleEndian"),
          .offset = SizeOf(options, "offset"),
          .adjustment = static_cast<std::int64_t>(NumberOf(options, "adjustment")),
          .includes_header = FlagOf(options, "includesHeader"),
          .strip = strip < 0 ? 0 : static_cast<std::size_t>(strip),
          .strip_header = strip < 0};
}

/// `options`: EngineFraming of src/engine/engine-options.ts.
protocol::FramingOptions FramingOf(const Napi::Object& options) {
  protocol::FramingOptions framing;
  framing.kind = static_cast<protocol::FramingKind>(IntOf(options, "kind"));
  framing.max_frame_length = SizeOf(options, "maxFrameLength");
  framing.text = FlagOf(options, "text");
  const Napi::Value delimiter = options.Get("delimiter");
  if (delimiter.IsTypedArray()) {
    const auto bytes = delimiter.As<Napi::Uint8Array>();
    framing.delimiter.bytes.assign(reinterpret_cast<const char*>(bytes.Data()), bytes.ByteLength());
    framing.delimiter.strip_carriage_return = FlagOf(options, "stripCarriageReturn");
  }
  const Napi::Value field = options.Get("lengthField");
  if (field.IsObject()) framing.length_field = LengthFieldOf(field.As<Napi::Object>());
  return framing;
}

/// `value`: what AddressRanges.toBytes() of src/engine/address-ranges.ts has made.
reactor::AddressRanges RangesOf(const Napi::Value& value) {
  const auto bytes = value.As<Napi::Uint8Array>();
  return reactor::AddressRanges::FromBytes(
      std::as_bytes(std::span(bytes.Data(), bytes.ByteLength())));
}

/// `allow` may be undefined.
reactor::AccessRules AccessOf(const Napi::Value& allow, const Napi::Value& deny) {
  reactor::AccessRules rules;
  if (allow.IsTypedArray()) rules.allow = RangesOf(allow);
  rules.deny = RangesOf(deny);
  return rules;
}

}  // namespace

Napi::Function ReactorWrap::Define(Napi::Env env) {
  return DefineClass(
      env, "NativeReactor",
      {InstanceMethod<&ReactorWrap::Guarded<&ReactorWrap::Listen>>("listen"),
       InstanceMethod<&ReactorWrap::Guarded<&ReactorWrap::SetTls>>("setTls"),
       InstanceMethod<&ReactorWrap::Guarded<&ReactorWrap::ExpectProxy>>("expectProxy"),
       InstanceMethod<&ReactorWrap::Guarded<&ReactorWrap::SetAccess>>("setAccess"),
       InstanceMethod<&ReactorWrap::Guarded<&ReactorWrap::Start>>("start"),
       InstanceMethod<&ReactorWrap::Guarded<&ReactorWrap::Publish>>("publish"),
       InstanceMethod<&ReactorWrap::Guarded<&ReactorWrap::Flush>>("flush"),
       InstanceMethod<&ReactorWrap::Guarded<&ReactorWrap::BytesWritten>>("bytesWritten"),
       InstanceMethod<&ReactorWrap::Guarded<&ReactorWrap::BytesReceived>>("bytesReceived"),
       InstanceMethod<&ReactorWrap::Guarded<&ReactorWrap::TakeLarge>>("takeLarge"),
       InstanceMethod<&ReactorWrap::Guarded<&ReactorWrap::Stats>>("stats"),
       InstanceMethod<&ReactorWrap::Guarded<&ReactorWrap::HoldFromJs>>("hold"),
       InstanceMethod<&ReactorWrap::Guarded<&ReactorWrap::StopFromJs>>("stop")});
}

// new NativeReactor(options, inbound, outbound, control, onBatch); checked by
// src/engine/native/binding.ts.
ReactorWrap::ReactorWrap(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<ReactorWrap>(info), environment_(&Environment::Of(info.Env())) {
  try {
    Construct(info);
  } catch (const std::exception& error) {
    ThrowAsJavaScript(info.Env(), error);
  }
}

void ReactorWrap::Construct(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() < 5 || !info[0].IsObject() || !info[1].IsArray() || !info[2].IsArray() ||
      !info[3].IsArrayBuffer() || !info[4].IsFunction()) {
    Napi::TypeError::New(env, "NativeReactor(options, inbound, outbound, control, onBatch)")
        .ThrowAsJavaScriptException();
    return;
  }
  Configure(info[0].As<Napi::Object>());
  const auto inbound = info[1].As<Napi::Array>();
  const auto outbound = info[2].As<Napi::Array>();
  auto control = info[3].As<Napi::ArrayBuffer>();
  const auto fits = [this](const Napi::Array& slabs, std::size_t most) {
    return slabs.Length() >= 2 * loop_count_ && slabs.Length() <= most * loop_count_;
  };
  if (!fits(inbound, bridge::InboundStream::kMaxSlabs) ||
      !fits(outbound, bridge::Mailbox::kMaxSlabs) ||
      control.ByteLength() < (1 + loop_count_) * sizeof(std::int32_t)) {
    Napi::RangeError::New(env, "NativeReactor: too few or too many slabs, or too few control words")
        .ThrowAsJavaScriptException();
    return;
  }
  for (std::size_t i = 0; i < loop_count_; ++i) {
    const std::size_t in = inbound.Length() / loop_count_;
    const std::size_t out = outbound.Length() / loop_count_;
    inbound_.push_back(HoldBuffers(inbound, i * in, in));
    outbound_.push_back(HoldBuffers(outbound, i * out, out));
    if (env.IsExceptionPending()) return;
  }
  control_ = static_cast<std::int32_t*>(control.Data());
  buffers_.push_back(Napi::Persistent(control));
  on_batch_ = Napi::Persistent(info[4].As<Napi::Function>());
}

ReactorWrap::~ReactorWrap() {
  if (IsRunning()) Stop();
}

void ReactorWrap::Configure(const Napi::Object& options) {
  loop_count_ = SizeOf(options, "loops");
  host_driven_ = loop_count_ == 0;
  if (host_driven_) loop_count_ = 1;
  options_.host_driven = host_driven_;
  options_.load_balance = static_cast<reactor::LoadBalance>(IntOf(options, "loadBalance"));
  options_.max_connections = SizeOf(options, "maxConnections");
  options_.accept = {
      .max_connections_per_address = SizeOf(options, "maxConnectionsPerAddress"),
      .rate = static_cast<std::uint32_t>(NumberOf(options, "acceptRate")),
      .rate_per_address = static_cast<std::uint32_t>(NumberOf(options, "acceptRatePerAddress"))};
  options_.access = AccessOf(options.Get("allow"), options.Get("deny"));
  options_.listen.backlog = IntOf(options, "backlog");
  options_.listen.reuse_port = FlagOf(options, "reusePort");
  options_.listen.ipv6_only = FlagOf(options, "ipv6Only");
  reactor::SocketOptions& socket = options_.loop.socket;
  socket.no_delay = FlagOf(options, "noDelay");
  socket.keep_alive = {.delay = IntOf(options, "keepAliveDelay"),
                       .interval = IntOf(options, "keepAliveInterval"),
                       .count = IntOf(options, "keepAliveCount")};
  socket.user_timeout = IntOf(options, "userTimeout");
  socket.receive_buffer = IntOf(options, "receiveBufferSize");
  socket.send_buffer = IntOf(options, "sendBufferSize");
  reactor::ConnectionOptions& connection = options_.loop.connection;
  connection.high_water_mark = SizeOf(options, "highWaterMark");
  connection.low_water_mark = SizeOf(options, "lowWaterMark");
  connection.max_send_buffer = SizeOf(options, "maxSendBuffer");
  connection.idle_timeout = DurationOf(options, "idleTimeout");
  connection.idle_on_received = FlagOf(options, "idleOnReceived");
  connection.handshake_timeout = DurationOf(options, "handshakeTimeout");
  connection.close_timeout = DurationOf(options, "closeTimeout");
  connection.half_close_timeout = DurationOf(options, "halfCloseTimeout");
  connection.incomplete_frame_timeout = DurationOf(options, "incompleteFrameTimeout");
  options_.loop.max_partial_bytes = SizeOf(options, "maxPartialBytes");
  options_.max_total_output = SizeOf(options, "maxTotalSendBuffer");
  connection.start_paused = FlagOf(options, "startPaused");
  const Napi::Value dial_tls = options.Get("dialTls");
  if (dial_tls.IsObject()) {
    options_.loop.dial_security =
        tls::TlsContext::Make(TlsOptionsOf(dial_tls.As<Napi::Object>()), tls::Side::kClient);
  }
  const auto patterns = options.Get("patterns").As<Napi::Array>();
  for (std::uint32_t i = 0; i < patterns.Length(); ++i) {
    patterns_.push_back(patterns.Get(i).As<Napi::String>().Utf8Value());
  }
  framers_.push_back(protocol::MakeFramer(FramingOf(options.Get("framing").As<Napi::Object>())));
}

std::vector<std::byte*> ReactorWrap::HoldBuffers(const Napi::Array& buffers, std::size_t first,
                                                 std::size_t count) {
  std::vector<std::byte*> out;
  for (std::size_t i = first; i < first + count; ++i) {
    auto buffer = buffers.Get(static_cast<std::uint32_t>(i)).As<Napi::ArrayBuffer>();
    if (buffer.ByteLength() < bridge::kSlabSize) {
      Napi::RangeError::New(Env(), "NativeReactor: a slab is too small")
          .ThrowAsJavaScriptException();
      return out;
    }
    out.push_back(static_cast<std::byte*>(buffer.Data()));
    buffers_.push_back(Napi::Persistent(buffer));
  }
  return out;
}

bool ReactorWrap::Build() {
  const Napi::Env env = Env();
  if (started_ || control_ == nullptr || environment_->ending()) {
    Napi::Error::New(env, "NativeReactor: listen() comes before start(), and start() once")
        .ThrowAsJavaScriptException();
    return false;
  }
  if (IsRunning()) return true;
  try {
    bridge::Doorbell* const doorbell =
        host_driven_ ? nullptr : &environment_->AcquireThreadDriver();
    std::vector<reactor::LoopHandler*> handlers;
    bridges_.clear();
    deliveries_.assign(loop_count_, {});
    for (std::size_t i = 0; i < loop_count_; ++i) {
      bridges_.push_back(std::make_unique<bridge::LoopBridge>(*framers_.front(), doorbell,
                                                              inbound_[i], outbound_[i]));
      bridges_.back()->KnowPatterns(patterns_);
      handlers.push_back(bridges_.back().get());
      control_[1 + i] = bridges_.back()->mailbox().open();
    }
    group_ = std::make_unique<reactor::LoopGroup>(options_, handlers);
    for (std::size_t i = 0; i < loop_count_; ++i) bridges_[i]->Attach(group_->loop(i));
  } catch (const std::exception& error) {
    group_.reset();
    bridges_.clear();
    if (!host_driven_) environment_->ReleaseThreadDriver();
    ReleaseJavaScript();
    ThrowAsJavaScript(env, error);
    return false;
  }
  napi_async_init(env, Value(), Napi::String::New(env, "GevReactor"), &async_context_);
  environment_->Register(*this);
  Ref();
  holds_itself_ = true;
  reactor::Ledger::Add(reactor::Asset::kReference, References());
  return true;
}

// listen(host, port, framing?, tls?) or listen(path, -1, framing?, tls?) → { address, port, family
// }
Napi::Value ReactorWrap::Listen(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!Build()) return env.Undefined();
  const std::string host = info[0].As<Napi::String>().Utf8Value();
  const int port = info[1].As<Napi::Number>().Int32Value();
  reactor::Endpoint bound;
  try {
    if (group_->listeners() == reactor::LoopGroup::kMaxListeners) {
      throw std::length_error("NativeReactor: too many listeners");
    }
    if (info[2].IsObject()) {
      framers_.push_back(protocol::MakeFramer(FramingOf(info[2].As<Napi::Object>())));
      for (const auto& bridge : bridges_) {
        bridge->FrameListener(group_->listeners(), *framers_.back());
      }
    }
    const auto& security = security_.emplace_back(SecurityOf(info[3]));
    bound = group_->Listen(
        port < 0 ? reactor::Endpoint::FromPath(host)
                 : reactor::Endpoint::FromAddress(host, static_cast<std::uint16_t>(port)),
        [this, security, proxying = proxying_]() -> reactor::LoopGroup::PrefaceFactory {
          if (!proxying && security == nullptr) return {};
          return [security, proxying, &filter = group_->filter()] {
            auto preface = std::make_unique<reactor::Preface>();
            if (proxying) {
              preface->Add(std::make_unique<protocol::ProxyStep>(proxying->versions, filter));
            }
            if (security) preface->Add(std::make_unique<reactor::SecureStep>(security->Get()));
            return preface;
          };
        }(),
        proxying_ ? std::optional(proxying_->trusted) : std::nullopt);
    proxying_.reset();
  } catch (...) {
    Stop();
    throw;
  }
  Napi::Object address = Napi::Object::New(env);
  address.Set("address", bound.is_unix() ? host : bound.host());
  address.Set("port", Napi::Number::New(env, bound.port()));
  address.Set("family", Napi::Number::New(env, bound.is_unix()             ? 1
                                               : bound.family() == AF_INET ? 4
                                                                           : 6));
  return address;
}

// Null: there is no TLS.
std::shared_ptr<reactor::SecureContextSlot> ReactorWrap::SecurityOf(const Napi::Value& options) {
  if (!options.IsObject()) return nullptr;
  return std::make_shared<reactor::SecureContextSlot>(
      tls::TlsContext::Make(TlsOptionsOf(options.As<Napi::Object>()), tls::Side::kServer));
}

// setTls(listener, tls)
Napi::Value ReactorWrap::SetTls(const Napi::CallbackInfo& info) {
  const std::size_t listener = info[0].As<Napi::Number>().Uint32Value();
  if (!CheckRunning(info.Env())) return info.Env().Undefined();
  if (listener >= security_.size() || security_[listener] == nullptr) {
    throw std::invalid_argument("NativeReactor: that listener speaks no TLS");
  }
  security_[listener]->Set(
      tls::TlsContext::Make(TlsOptionsOf(info[1].As<Napi::Object>()), tls::Side::kServer));
  return info.Env().Undefined();
}

// expectProxy(versions, trusted): of the next listener
Napi::Value ReactorWrap::ExpectProxy(const Napi::CallbackInfo& info) {
  proxying_ = {static_cast<protocol::ProxyVersions>(info[0].As<Napi::Number>().Uint32Value()),
               RangesOf(info[1])};
  return info.Env().Undefined();
}

// setAccess(allow | undefined, deny)
Napi::Value ReactorWrap::SetAccess(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (CheckRunning(env)) group_->SetAccess(AccessOf(info[0], info[1]));
  return env.Undefined();
}

Napi::Value ReactorWrap::Start(const Napi::CallbackInfo& info) {
  if (!Build()) return info.Env().Undefined();
  try {
    group_->Start();
    if (host_driven_) inline_driver_ = std::make_unique<InlineDriver>(*this, group_->loop(0));
  } catch (...) {
    Stop();
    throw;
  }
  started_ = true;
  Hold(true);
  return info.Env().Undefined();
}

void ReactorWrap::Stop() noexcept {
  if (IsRunning()) {
    Hold(false);
    inline_driver_.reset();  // before the loop's descriptor closes
    group_->Stop();
    group_.reset();
    bridges_.clear();
    environment_->Unregister(*this);
    if (!host_driven_) environment_->ReleaseThreadDriver();
  }
  // A batch that is being delivered still needs all of it, and lets go when it is done.
  const bool in_batch = control_ != nullptr && control_[0] != 0;
  if (!in_batch) ReleaseJavaScript();
}

void ReactorWrap::Hold(bool hold) noexcept {
  if (hold == holds_process_) return;
  holds_process_ = hold;
  if (host_driven_) {
    inline_driver_->Hold(hold);
  } else if (hold) {
    environment_->thread_driver().AddHolder();
  } else {
    environment_->thread_driver().RemoveHolder();
  }
}

void ReactorWrap::ReleaseJavaScript() noexcept {
  const Napi::HandleScope scope(Env());
  if (async_context_ != nullptr) {
    napi_async_destroy(Env(), std::exchange(async_context_, nullptr));
  }
  const bool held_itself = std::exchange(holds_itself_, false);
  if (held_itself) reactor::Ledger::Add(reactor::Asset::kReference, -References());
  if (environment_->ending()) return;  // the references end with it
  control_ = nullptr;
  inbound_.clear();
  outbound_.clear();
  buffers_.clear();
  on_batch_.Reset();
  if (held_itself) Unref();
}

// --- batches: loop → JavaScript ------------------------------------------------------------------

bool ReactorWrap::DeliverSlice(reactor::Nanoseconds until) {
  const auto loops = static_cast<std::uint32_t>(loop_count_);
  std::uint32_t loop = next_loop_;
  for (std::uint32_t seen = 1; !HasEvents(loop); ++seen) {
    if (seen == loops) return false;
    loop = (loop + 1) % loops;
  }
  next_loop_ = (loop + 1) % loops;
  std::uint32_t queued = 0;
  Outcome outcome = Outcome::kStarts;
  reactor::Nanoseconds now = reactor::MonotonicNow();
  do {
    outcome = DeliverPart(loop);
    if (outcome == Outcome::kStopped) {
      ReleaseJavaScript();
      return true;
    }
    last_call_ = reactor::MonotonicNow() - now;
    now += last_call_;
    if (outcome == Outcome::kQueues) queued += events_a_call_;
    events_a_call_ = last_call_ > kLongCall ? std::max(events_a_call_ / 4, kFewEvents)
                                            : std::min(2 * events_a_call_, kEventsACall);
    if (now - handed_over_at_ < kHandOverEvery) continue;
    handed_over_at_ = now;
    PublishAll();
    now = reactor::MonotonicNow();
  } while ((now < until || (outcome == Outcome::kQueues && queued < kQueuedEvents)) &&
           HasEvents(loop));
  handed_over_at_ = now;
  PublishAll();
  return true;
}

// Takes the loop's next slab, unless the last one is not yet delivered.
bool ReactorWrap::HasEvents(std::uint32_t loop) {
  Delivery& delivery = deliveries_[loop];
  if (delivery.slab >= 0) return true;
  const std::int32_t slab = bridges_[loop]->inbound().Take();
  if (slab < 0) return false;
  const std::byte* const bytes = inbound_[loop][static_cast<std::size_t>(slab)];
  delivery = {slab, 0, static_cast<std::uint32_t>(bridge::LoadWord(bytes))};
  return true;
}

ReactorWrap::Outcome ReactorWrap::DeliverPart(std::uint32_t loop) {
  const std::int32_t slab = deliveries_[loop].slab;
  const std::uint32_t first = deliveries_[loop].next;
  const std::uint32_t end = std::min(first + events_a_call_, deliveries_[loop].end);
  control_[0] = 1;
  const Reading reading = CallBatch(loop, slab, first, end);
  control_[0] = 0;
  if (!IsRunning()) return Outcome::kStopped;
  const Outcome outcome = reading.queues ? Outcome::kQueues : Outcome::kStarts;
  deliveries_[loop].next = reading.next;
  if (reading.next < deliveries_[loop].end) return outcome;
  deliveries_[loop] = {};
  if (bridges_[loop]->inbound().Release(slab)) group_->loop(loop).Wake();
  return outcome;
}

ReactorWrap::Reading ReactorWrap::CallBatch(std::uint32_t loop, std::int32_t slab,
                                            std::uint32_t first, std::uint32_t end) {
  const napi_env env = Env();
  const Napi::HandleScope scope(env);
  std::array<napi_value, 5> arguments{};
  napi_create_uint32(env, loop, arguments.data());
  napi_create_int32(env, slab, &arguments[1]);
  napi_create_uint32(env, first, &arguments[2]);
  napi_create_uint32(env, end, &arguments[3]);
  napi_create_uint32(env, static_cast<std::uint32_t>(last_call_ / 1000), &arguments[4]);
  // Closing this callback's scope runs nextTick and promise jobs: what handlers answer at once is
  // written when the call returns.
  napi_value result = nullptr;
  const napi_status status = napi_make_callback(env, async_context_, Value(), on_batch_.Value(),
                                                arguments.size(), arguments.data(), &result);
  if (status == napi_pending_exception) {
    napi_value error = nullptr;
    napi_get_and_clear_last_exception(env, &error);
    napi_fatal_exception(env, error);
  }
  std::int32_t next = 0;
  if (status != napi_ok || napi_get_value_int32(env, result, &next) != napi_ok) return {end, false};
  const bool queues = next < 0;
  // Not where it began: that would go on for ever.
  return {std::clamp(static_cast<std::uint32_t>(queues ? ~next : next), first + 1, end), queues};
}

// --- records: JavaScript → loop ------------------------------------------------------------------

void ReactorWrap::PublishLoop(std::size_t loop) {
  bridge::Mailbox& mailbox = bridges_[loop]->mailbox();
  if (!mailbox.Publish()) return;
  if (host_driven_) {
    if (inline_driver_) inline_driver_->RunCommands();
  } else {
    group_->loop(loop).Wake();
  }
  control_[1 + loop] = mailbox.open();
}

void ReactorWrap::PublishAll() {
  for (std::size_t i = 0; i < loop_count_; ++i) PublishLoop(i);
}

bool ReactorWrap::CheckRunning(Napi::Env env) const {
  if (IsRunning()) return true;
  Napi::Error::New(env, "NativeReactor: not running").ThrowAsJavaScriptException();
  return false;
}

Napi::Value ReactorWrap::Publish(const Napi::CallbackInfo& info) {
  const std::size_t loop = info[0].As<Napi::Number>().Uint32Value();
  if (CheckRunning(info.Env()) && loop < loop_count_) PublishLoop(loop);
  return info.Env().Undefined();
}

Napi::Value ReactorWrap::Flush(const Napi::CallbackInfo& info) {
  if (IsRunning()) PublishAll();
  return info.Env().Undefined();
}

// --- questions -----------------------------------------------------------------------------------

Napi::Value ReactorWrap::BytesWritten(const Napi::CallbackInfo& info) {
  return CountOf(info, &reactor::ByteCounts::written);
}

Napi::Value ReactorWrap::BytesReceived(const Napi::CallbackInfo& info) {
  return CountOf(info, &reactor::ByteCounts::received);
}

Napi::Value ReactorWrap::CountOf(const Napi::CallbackInfo& info,
                                 std::uint64_t reactor::ByteCounts::* count) {
  const std::size_t loop = info[0].As<Napi::Number>().Uint32Value();
  if (!IsRunning() || loop >= loop_count_) return Napi::Number::New(info.Env(), -1);
  const auto counts = group_->loop(loop).BytesOf(info[1].As<Napi::Number>().Uint32Value(),
                                                 info[2].As<Napi::Number>().Uint32Value());
  return Napi::Number::New(info.Env(), counts ? static_cast<double>((*counts).*count) : -1);
}

Napi::Value ReactorWrap::TakeLarge(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::size_t loop = info[0].As<Napi::Number>().Uint32Value();
  if (!CheckRunning(env) || loop >= loop_count_) return env.Undefined();
  const auto frame = bridges_[loop]->TakeLarge(info[1].As<Napi::Number>().Uint32Value());
  napi_value copy = nullptr;
  napi_create_buffer_copy(env, frame.size, frame.bytes().data(), nullptr, &copy);
  return {env, copy};
}

Napi::Value ReactorWrap::Stats(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!CheckRunning(env)) return env.Undefined();
  Napi::Object stats = Napi::Object::New(env);
  const Napi::Array connections = Napi::Array::New(env, loop_count_);
  for (std::uint32_t i = 0; i < loop_count_; ++i) {
    connections.Set(i, Napi::Number::New(env, static_cast<double>(group_->connections(i))));
  }
  stats.Set("accepted", Napi::Number::New(env, static_cast<double>(group_->accepted())));
  const Napi::Array refusals = Napi::Array::New(env, reactor::kRefusals);
  for (std::uint32_t i = 0; i < reactor::kRefusals; ++i) {
    const auto cause = static_cast<reactor::Refusal>(i);
    refusals.Set(i, Napi::Number::New(env, static_cast<double>(group_->refused(cause))));
  }
  stats.Set("refusals", refusals);
  stats.Set("connections", connections);
  return stats;
}

Napi::Value ReactorWrap::HoldFromJs(const Napi::CallbackInfo& info) {
  if (IsRunning() && started_) Hold(info[0].ToBoolean().Value());
  return info.Env().Undefined();
}

Napi::Value ReactorWrap::StopFromJs(const Napi::CallbackInfo& info) {
  Stop();
  return info.Env().Undefined();
}

}  // namespace addon
