/* Linked into the shim of the coverage build with --wrap=raise: a process that dies by a signal writes no counts of its
 * own, so they are written before. */
#include <signal.h>

void __gcov_dump(void);
int __real_raise(int number);
int __wrap_raise(int number);

int __wrap_raise(int number) {
  __gcov_dump();
  return __real_raise(number);
}
