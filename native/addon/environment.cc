#include "addon/environment.h"

#include <algorithm>
#include <utility>

#include "addon/reactor_wrap.h"

namespace addon {
namespace {

constexpr reactor::Nanoseconds kDeliveryTime = 5'000'000;

}  // namespace

Environment::Environment(Napi::Env env) : env_(env) {
  napi_get_uv_event_loop(env_, &uv_loop_);
  napi_add_async_cleanup_hook(env_, &Environment::OnCleanup, this, &cleanup_);
}

void Environment::Unregister(ReactorWrap& wrap) noexcept { std::erase(reactors_, &wrap); }

bool Environment::IsRegistered(const ReactorWrap& wrap) const noexcept {
  return std::ranges::find(reactors_, &wrap) != reactors_.end();
}

reactor::Nanoseconds Environment::DeliveryTime(std::size_t reactors) const noexcept {
  return kDeliveryTime * reactors / std::max<std::size_t>(reactors_.size(), 1);
}

ThreadDriver& Environment::AcquireThreadDriver() {
  ++threaded_reactors_;  // first: whoever fails from here on still releases
  if (!thread_driver_) thread_driver_ = std::make_unique<ThreadDriver>(*this);
  thread_driver_->Resume();
  return *thread_driver_;
}

void Environment::ReleaseThreadDriver() noexcept {
  if (--threaded_reactors_ == 0 && thread_driver_) thread_driver_->Retire();
}

void Environment::OnCleanup(napi_async_cleanup_hook_handle /*handle*/, void* self) {
  static_cast<Environment*>(self)->End();
}

void Environment::End() noexcept {
  ending_ = true;
  while (!reactors_.empty()) reactors_.back()->Stop();  // unregisters itself
  thread_driver_.reset();
  if (closing_handles_ == 0) FinishEnd();
}

void Environment::OnHandleClosed() noexcept {
  if (--closing_handles_ == 0 && ending_) FinishEnd();
}

void Environment::FinishEnd() noexcept {
  napi_remove_async_cleanup_hook(std::exchange(cleanup_, nullptr));
}

}  // namespace addon
