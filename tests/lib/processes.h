/* Processes and descriptors as /proc shows them. Without /proc there are none. */
#ifndef CMOX_TESTS_PROCESSES_H
#define CMOX_TESTS_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct process {
  pid_t pid, parent, group;
  char state;     /* 'Z': it has ended and nobody waited for it */
  char name[160]; /* its command line, words separated by spaces; of the dead what they were */
} process_t;

/* Calls visit for each process until it gives false. */
void processes_visit(bool (*visit)(const process_t *process, void *user), void *user);

enum { DESCRIPTORS_MAX = 4096 };

typedef struct descriptors {
  size_t count;
  struct {
    int fd;
    char target[96]; /* what /proc/self/fd says of it, cut */
  } items[];
} descriptors_t;

/* This process's, in order; to be freed. NULL: they cannot be known. */
descriptors_t *descriptors_read(void);

#endif
