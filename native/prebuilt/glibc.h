// Put before the sources of an addon that zig links for glibc 2.17.
#pragma once

#include <sys/stat.h>

// Until 2.33, stat() and its kin were in a static part of glibc and called the functions below. The
// static part that zig has is of a later glibc, and leaves the error in an errno of its own.
extern "C" {
int __xstat(int version, const char* path, struct stat* status) noexcept;
int __lxstat(int version, const char* path, struct stat* status) noexcept;
int __fxstat(int version, int fd, struct stat* status) noexcept;

#ifdef __x86_64__
enum { kStatVersion = 1 };
#else
enum { kStatVersion = 0 };
#endif

int stat(const char* path, struct stat* status) noexcept {
  return __xstat(kStatVersion, path, status);
}
int lstat(const char* path, struct stat* status) noexcept {
  return __lxstat(kStatVersion, path, status);
}
int fstat(int fd, struct stat* status) noexcept { return __fxstat(kStatVersion, fd, status); }
}

// Zig has functions of these names, too, and prefers them. They copy with 16 bytes at a time and
// compare bytes.
#ifdef __x86_64__
__asm__(".symver memcpy, memcpy@GLIBC_2.14");
__asm__(".symver memmove, memmove@GLIBC_2.2.5");
__asm__(".symver memset, memset@GLIBC_2.2.5");
__asm__(".symver memcmp, memcmp@GLIBC_2.2.5");
__asm__(".symver bcmp, bcmp@GLIBC_2.2.5");
#else
__asm__(".symver memcpy, memcpy@GLIBC_2.17");
__asm__(".symver memmove, memmove@GLIBC_2.17");
__asm__(".symver memset, memset@GLIBC_2.17");
__asm__(".symver memcmp, memcmp@GLIBC_2.17");
__asm__(".symver bcmp, bcmp@GLIBC_2.17");
#endif
