#pragma once

#include <cstdint>
#include <memory>

#include "addon/uv_handle.h"
#include "reactor/event_loop.h"

namespace addon {

class ReactorWrap;

/// Drives one EventLoop on JavaScript's thread: libuv watches the loop's own descriptor and keeps
/// its next deadline. Lowest latency, no second thread.
///
/// libuv calls only when the descriptor is readable or the timer expires, and neither tells of work
/// left over: events of a full slab, slabs that JavaScript had no time for. So whenever there is
/// any at the end of a call, the loop's own descriptor is made readable:
///
///   libuv ──readable──▶ OnReady: Turn(), DeliverSlice(), … ──work left──▶ WakeAlways() ──▶ libuv
///   JavaScript ──publish──▶ RunCommands ───────────────────work left──▶ WakeAlways() ──▶ libuv
///
/// Always, for Wake() is for a loop that sleeps in its poller, and this one never does.
class InlineDriver {
 public:
  /// Throws std::system_error. `wrap` owns both the driver and the loop.
  InlineDriver(ReactorWrap& wrap, reactor::EventLoop& loop);
  InlineDriver(const InlineDriver&) = delete;
  InlineDriver& operator=(const InlineDriver&) = delete;
  ~InlineDriver() = default;

  /// After JavaScript published records: carries them out and sees to what follows from them.
  void RunCommands();

  /// Whether it keeps the process alive; at first it does.
  void Hold(bool hold) noexcept;

 private:
  void OnReady();
  void Rearm();

  ReactorWrap& wrap_;
  reactor::EventLoop& loop_;
  UvHandle poll_;
  UvHandle timer_;
  bool turning_ = false;     // within OnReady(), which rearms at its end
  std::uint64_t armed_ = 0;  // deadline in ns the timer is set to; 0: not set
};

}  // namespace addon
