/* replay FILE: runs a target over one file, without libFuzzer. replay N FOLDER...: over every file
 * of its corpora; fails when there are fewer than N: a corpus that is not found would pass too. */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

/* The input in a block of its own length, so that a sanitizer sees what reads beyond it. */
static void run_file(const char *path) {
  struct stat info;
  FILE *file = fopen(path, "rb");
  FUZZ_NEED(file && fstat(fileno(file), &info) == 0, "cannot read %s", path);
  const size_t len = (size_t)info.st_size;
  uint8_t *data = malloc(len ? len : 1);
  FUZZ_NEED(data && fread(data, 1, len, file) == len, "cannot read %s", path);
  fclose(file);
  (void)LLVMFuzzerTestOneInput(data, len);
  free(data);
}

/* Returns how many files it ran. What ran last is known when it crashes. */
static unsigned long run_folder(const char *folder) {
  DIR *dir = opendir(folder);
  FUZZ_NEED(dir, "cannot open %s", folder);
  unsigned long count = 0;
  for (const struct dirent *entry; (entry = readdir(dir));) {
    char path[4096];
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    printf("%s\n", path);
    (void)fflush(stdout);
    run_file(path);
    count++;
  }
  closedir(dir);
  return count;
}

int main(int argc, char **argv) {
  if (argc == 2) {
    run_file(argv[1]);
    return 0;
  }
  if (argc < 3) {
    fprintf(stderr, "usage: %s FILE | LEAST_FILES FOLDER...\n", argv[0]);
    return 2;
  }
  const unsigned long least = strtoul(argv[1], NULL, 10);
  unsigned long count = 0;
  for (int i = 2; i < argc; i++) count += run_folder(argv[i]);
  printf("%lu files, nothing found\n", count);
  if (count >= least) return 0;
  fprintf(stderr, "replay: %lu files, but at least %lu belong there\n", count, least);
  return 1;
}
