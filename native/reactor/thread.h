#pragma once

#include <pthread.h>
#include <signal.h>  // pthread_sigmask is POSIX, not C++

#include <string>
#if defined(__FreeBSD__) || defined(__OpenBSD__)
#include <pthread_np.h>
#endif

namespace reactor {

/// While it lives, threads that this one starts begin with every signal blocked: what is sent to
/// the process goes to threads that expect it, and interrupts no system call of a loop.
class BlockedSignals {
 public:
  BlockedSignals() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

/// What debuggers and `top -H` show; 15 characters at most on Linux.
inline void NameThisThread(const std::string& name) noexcept {
#if defined(__APPLE__)
  pthread_setname_np(name.c_str());
#elif defined(__FreeBSD__) || defined(__OpenBSD__)
  pthread_set_name_np(pthread_self(), name.c_str());
#else
  pthread_setname_np(pthread_self(), name.c_str());
#endif
}

}  // namespace reactor
