// SPDX-License-Identifier: BSD-3-Clause
// write, fsync, rename: POSIX calls, each checked.
#include "record/atomic_file.hpp"

#include <cerrno>
#include <cstdio>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "core/error.hpp"

namespace lockstep::record {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(std::string_view action, const fs::path& path, int error) {
  throw Error(
      {.what = fmt::format("cannot {} {}", action, path.string()),
       .got = std::generic_category().message(error),
       .hint = error == ENOSPC || error == EDQUOT ? "free some space, or write the results elsewhere" : ""});
}

class FileDescriptor {
 public:
  FileDescriptor(const fs::path& path, int flags)
      : path_(path), fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {
    if (fd_ < 0) fail((flags & O_CREAT) != 0 ? "create" : "open", path, errno);
  }
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  void write(std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail("write", path_, errno);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }
  void sync() const {
    // EINVAL: this kind of file, e.g. a folder on some network file systems, cannot be synced.
    if (::fsync(fd_) != 0 && errno != EINVAL) fail("sync", path_, errno);
  }
  // Network file systems report a full disk here at the latest.
  void close() {
    const int code = ::close(fd_);
    fd_ = -1;
    if (code != 0 && errno != EINTR) fail("write", path_, errno);
  }

 private:
  fs::path path_;
  int fd_;
};

fs::path partial_name(const fs::path& path) { return fs::path(path) += ".partial"; }

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

}  // namespace

PartialFile::PartialFile(fs::path path) : path_(std::move(path)), partial_(partial_name(path_)) {}

PartialFile::~PartialFile() {
  if (!partial_.empty()) ::unlink(partial_.c_str());
}

void PartialFile::finish(Durability durability, const fs::path& keep_old_as) {
  const bool durable = durability == Durability::survives_power_loss;
  // Syncing through a descriptor opened anew also covers what was written through another one.
  if (durable) FileDescriptor(partial_, O_RDONLY).sync();
  if (!keep_old_as.empty() && std::rename(path_.c_str(), keep_old_as.c_str()) != 0 && errno != ENOENT)
    fail("keep the older", path_, errno);
  if (std::rename(partial_.c_str(), path_.c_str()) != 0) fail("replace", path_, errno);
  partial_.clear();
  if (durable) FileDescriptor(folder_of(path_), O_RDONLY | O_DIRECTORY).sync();
}

void replace_file(const fs::path& path, std::span<const std::byte> bytes, Durability durability) {
  PartialFile partial(path);
  FileDescriptor file(partial.path(), O_WRONLY | O_CREAT | O_TRUNC);
  file.write(bytes);
  file.close();
  partial.finish(durability);
}

void create_folders_for(const fs::path& path) {
  std::error_code error;
  fs::create_directories(folder_of(path), error);
  if (error) fail("create the folder", folder_of(path), error.value());
}

void check_writable(const fs::path& path) {
  std::error_code unseen;  // a path that cannot be looked at cannot be created either, and that is told below
  if (fs::is_directory(path, unseen)) fail("write", path, EISDIR);
  const PartialFile partial(path);
  FileDescriptor(partial.path(), O_WRONLY | O_CREAT | O_TRUNC).close();
}

}  // namespace lockstep::record
