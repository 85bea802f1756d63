// SPDX-License-Identifier: BSD-3-Clause
// To be preloaded: a process is killed, or meets an error, at a call that changes files of one folder.
//   FAULT_FOLDER=TEXT (in the path)  FAULT=kill|EIO|ENOSPC|EDQUOT|EROFS  FAULT_AT=N (1: the first call)
//   FAULT_LASTS=1 (all later calls fail, too)  FAULT_CALLS=write,fsync,... (those alone)
//   FAULT_COUNT=FILE (gets the number of calls)
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

namespace {

std::string setting(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

template <class Function>
Function* original(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

std::string path_of(int fd) {
  char path[4096];
  const ssize_t length = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path);
  return length < 0 ? "" : std::string(path, static_cast<std::size_t>(length));
}

int error_named(const std::string& name) {
  return name == "EIO"      ? EIO
         : name == "ENOSPC" ? ENOSPC
         : name == "EDQUOT" ? EDQUOT
         : name == "EROFS"  ? EROFS
                            : 0;
}

long calls = 0;

struct CountAtExit {
  ~CountAtExit() {
    const std::string to = setting("FAULT_COUNT");
    if (to.empty() || calls == 0) return;
    if (FILE* const file = std::fopen(to.c_str(), "w")) {
      std::fprintf(file, "%ld\n", calls);
      std::fclose(file);
    }
  }
} count_at_exit;

void kill_now() { ::kill(::getpid(), SIGKILL); }

// Counts the call. True if it is the one.
bool is_due(const std::string& path, const char* call) {
  static const std::string folder = setting("FAULT_FOLDER"), only = "," + setting("FAULT_CALLS") + ",";
  static const long at = std::atol(setting("FAULT_AT").c_str());
  static const bool lasts = setting("FAULT_LASTS") == "1";
  if (folder.empty() || path.find(folder) == std::string::npos) return false;
  if (only != ",," && only.find("," + std::string(call) + ",") == std::string::npos) return false;
  ++calls;
  return at > 0 && (calls == at || (lasts && calls > at));
}

bool kills() { return setting("FAULT") == "kill"; }

// Kills, or sets errno and returns true, if the call is to fail.
bool fails(const std::string& path, const char* call) {
  if (!is_due(path, call)) return false;
  if (kills()) kill_now();
  errno = error_named(setting("FAULT"));
  return true;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list more;
    va_start(more, flags);
    mode = va_arg(more, mode_t);
    va_end(more);
  }
  if ((flags & O_CREAT) != 0 && fails(path, "open")) return -1;
  return original<int(const char*, int, ...)>("open")(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list more;
    va_start(more, flags);
    mode = va_arg(more, mode_t);
    va_end(more);
  }
  if ((flags & O_CREAT) != 0 && fails(path, "open")) return -1;
  return original<int(const char*, int, ...)>("open64")(path, flags, mode);
}

ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
  auto* const function = original<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  if (!is_due(path_of(fd), "write")) return function(fd, bytes, count, offset);
  if (kills()) {
    (void)function(fd, bytes, count / 2, offset);
    kill_now();
  }
  errno = error_named(setting("FAULT"));
  return -1;
}

ssize_t pwrite64(int fd, const void* bytes, size_t count, off64_t offset) {
  return pwrite(fd, bytes, count, offset);
}

ssize_t write(int fd, const void* bytes, size_t count) {
  if (fails(path_of(fd), "write")) return -1;
  return original<ssize_t(int, const void*, size_t)>("write")(fd, bytes, count);
}

int fsync(int fd) { return fails(path_of(fd), "fsync") ? -1 : original<int(int)>("fsync")(fd); }

int ftruncate(int fd, off_t length) {
  return fails(path_of(fd), "ftruncate") ? -1 : original<int(int, off_t)>("ftruncate")(fd, length);
}

int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

int posix_fallocate(int fd, off_t offset, off_t length) {
  if (fails(path_of(fd), "fallocate")) return errno;
  return original<int(int, off_t, off_t)>("posix_fallocate")(fd, offset, length);
}

int posix_fallocate64(int fd, off64_t offset, off64_t length) { return posix_fallocate(fd, offset, length); }

int rename(const char* from, const char* to) noexcept {
  return fails(to, "rename") ? -1 : original<int(const char*, const char*)>("rename")(from, to);
}

int link(const char* from, const char* to) noexcept {
  return fails(to, "link") ? -1 : original<int(const char*, const char*)>("link")(from, to);
}

int unlink(const char* path) noexcept {
  return fails(path, "unlink") ? -1 : original<int(const char*)>("unlink")(path);
}

int remove(const char* path) noexcept {
  return fails(path, "unlink") ? -1 : original<int(const char*)>("remove")(path);
}

int mkdir(const char* path, mode_t mode) noexcept {
  return fails(path, "mkdir") ? -1 : original<int(const char*, mode_t)>("mkdir")(path, mode);
}

}  // extern "C"
