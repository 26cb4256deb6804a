#include "addon/uv_handle.h"

#include <utility>

#include "addon/environment.h"
#include "reactor/ledger.h"

namespace addon {
namespace {

struct Closing {
  Environment& environment;
  std::unique_ptr<std::byte[]> memory;
};

}  // namespace

UvHandle::UvHandle(Environment& environment, int type, void* data)
    : environment_(environment),
      data_(data),
      memory_(std::make_unique<std::byte[]>(uv_handle_size(type))) {}

void UvHandle::MarkOpen() noexcept {
  open_ = true;
  reactor::Ledger::Add(reactor::Asset::kHandle, 1);
  uv_handle_set_data(As<uv_handle_t>(), data_);
}

void UvHandle::Hold(bool hold) noexcept {
  if (!open_) return;
  if (hold) {
    uv_ref(As<uv_handle_t>());
  } else {
    uv_unref(As<uv_handle_t>());
  }
}

void UvHandle::Close() noexcept {
  if (!std::exchange(open_, false)) return;
  auto* const handle = As<uv_handle_t>();
  environment_.OnHandleClosing();
  uv_handle_set_data(handle, std::make_unique<Closing>(environment_, std::move(memory_)).release());
  uv_close(handle, [](uv_handle_t* closed) {
    reactor::Ledger::Add(reactor::Asset::kHandle, -1);
    const std::unique_ptr<Closing> closing(static_cast<Closing*>(uv_handle_get_data(closed)));
    closing->environment.OnHandleClosed();
  });
}

}  // namespace addon
