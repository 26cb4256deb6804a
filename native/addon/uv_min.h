// The few libuv calls the addon needs, declared by hand: node-api-headers carries no uv.h.
// libuv 1.x keeps its ABI, and the sizes of handles come from the library at run time.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {
typedef struct uv_loop_s uv_loop_t;
typedef struct uv_handle_s uv_handle_t;
typedef struct uv_poll_s uv_poll_t;
typedef struct uv_timer_s uv_timer_t;
typedef void (*uv_poll_cb)(uv_poll_t*, int status, int events);
typedef void (*uv_timer_cb)(uv_timer_t*);
typedef void (*uv_close_cb)(uv_handle_t*);
enum { UV_POLL_TYPE = 8, UV_TIMER_TYPE = 13, UV_READABLE = 1 };
size_t uv_handle_size(int type);
const char* uv_handle_type_name(int type);
int uv_poll_init(uv_loop_t*, uv_poll_t*, int fd);
int uv_poll_start(uv_poll_t*, int events, uv_poll_cb);
int uv_timer_init(uv_loop_t*, uv_timer_t*);
int uv_timer_start(uv_timer_t*, uv_timer_cb, uint64_t timeout, uint64_t repeat);
int uv_timer_stop(uv_timer_t*);
void uv_update_time(uv_loop_t*);
void uv_close(uv_handle_t*, uv_close_cb);
void uv_ref(uv_handle_t*);
void uv_unref(uv_handle_t*);
void uv_handle_set_data(uv_handle_t*, void*);
void* uv_handle_get_data(const uv_handle_t*);
}
