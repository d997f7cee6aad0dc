/* libuv closes descriptors by syscall(SYS_close), which ThreadSanitizer does not see: it then takes
 * the next file of that number for the one before, and reports races of threads that never share
 * one. In a program that includes this (one file of it only) it sees them. */
#ifndef CMOX_TESTS_SEEN_CLOSE_H
#define CMOX_TESTS_SEEN_CLOSE_H

#ifdef __SANITIZE_THREAD__

#include <dlfcn.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((visibility("default"))) long syscall(long number, ...) {
  static void *found;
  void *next = __atomic_load_n(&found, __ATOMIC_RELAXED);
  if (!next) __atomic_store_n(&found, next = dlsym(RTLD_NEXT, "syscall"), __ATOMIC_RELAXED);
  long (*real)(long, ...);
  *(void **)(&real) = next;
  long all[6];
  va_list rest;
  va_start(rest, number);
  for (int i = 0; i < 6; i++) all[i] = va_arg(rest, long);
  va_end(rest);
  if (number == SYS_close) return close((int)all[0]);
  return real(number, all[0], all[1], all[2], all[3], all[4], all[5]);
}

#endif
#endif
