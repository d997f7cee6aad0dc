/* Only in the coverage build: a process that ends by a signal of its own or by _exit() writes no
 * counts, so these two write them first. What another process kills is lost all the same. */
#ifdef CMDMOX_COVERAGE

#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

void __gcov_dump(void);

void _exit(int status) {
  __gcov_dump();
  (void)syscall(SYS_exit_group, status);
  abort();
}

int raise(int number) {
  __gcov_dump();
  return (int)syscall(SYS_tgkill, getpid(), gettid(), number);
}

#else
typedef int cmox_counts_are_for_coverage_only;
#endif
