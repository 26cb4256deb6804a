#include "bridge/loop_bridge.h"

namespace bridge {

void LoopBridge::RunCommands() {
  mailbox_.Drain([this](std::span<const std::byte> records) { records_.Execute(records); });
}

bool LoopBridge::AwaitRoom() noexcept {
  if (!frames_.HasRoom()) {
    inbound_.AwaitRelease();
    if (!frames_.HasRoom()) return false;  // JavaScript may have fetched one before it was asked
  }
  return inbound_.HasRoom();
}

void LoopBridge::EndEvents() {
  const bool has_events = inbound_.HasEvents();
  inbound_.Unlock();
  if (has_events && doorbell_ != nullptr) doorbell_->Ring();
}

bool LoopBridge::OnOpen(reactor::Connection& connection) {
  // Before the event: there may be no memory for them.
  frames_.Open(connection);
  records_.Open(connection.slot());
  if (connection.channel() != nullptr && !events_.Secured(connection)) return false;
  if (const reactor::Preface* const preface = connection.preface()) {
    const std::span<const std::byte> findings = preface->findings();
    if (!findings.empty() && !events_.Proxied(connection, findings)) return false;
  }
  return events_.Open(connection);
}

void LoopBridge::OnFewerSlots(std::size_t slots) noexcept {
  frames_.Shrink(slots);
  records_.Shrink(slots);
}

}  // namespace bridge
