/* Preloaded into a process: files below FAULT_FOLDER have a bad disk. FAULT_SYNC and FAULT_WRITE are "GOOD:BAD": after
   GOOD calls that work, BAD ones fail, and so on. A sync fails with EIO; a write with ENOSPC, when half of it is written. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long syncs, writes;

static int is_ours(int fd) {
  const char *folder = getenv("FAULT_FOLDER");
  char link[64], path[PATH_MAX];
  if (!folder) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return strncmp(path, folder, strlen(folder)) == 0;
}

static int is_due(atomic_long *count, const char *name, int fd) {
  const char *rule = getenv(name);
  long good, bad;
  if (!rule || sscanf(rule, "%ld:%ld", &good, &bad) != 2 || !is_ours(fd)) return 0;
  return atomic_fetch_add(count, 1) % (good + bad) >= good;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd) {
  if (is_due(&syncs, "FAULT_SYNC", fd)) return errno = EIO, -1;
  return REAL(fsync)(fd);
}

int fdatasync(int fd) {
  if (is_due(&syncs, "FAULT_SYNC", fd)) return errno = EIO, -1;
  return REAL(fdatasync)(fd);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  int due = is_due(&writes, "FAULT_WRITE", fd);
  ssize_t written = REAL(pwrite64)(fd, bytes, due ? count / 2 : count, at);
  return due ? (errno = ENOSPC, -1) : written;
}

ssize_t write(int fd, const void *bytes, size_t count) {
  int due = is_due(&writes, "FAULT_WRITE", fd);
  ssize_t written = REAL(write)(fd, bytes, due ? count / 2 : count);
  return due ? (errno = ENOSPC, -1) : written;
}
