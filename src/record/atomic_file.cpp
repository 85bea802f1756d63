// SPDX-License-Identifier: BSD-3-Clause
// write, fsync, rename: POSIX calls, each checked.
#include "record/atomic_file.hpp"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
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

int open_or_fail(const fs::path& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
  if (fd < 0) fail((flags & O_CREAT) != 0 ? "create" : "open", path, errno);
  return fd;
}

// EINVAL: this kind of file, e.g. a folder on some network file systems, cannot be synced.
bool synced(int fd) { return ::fsync(fd) == 0 || errno == EINVAL; }

void sync_folder(const fs::path& path) {
  const int fd = open_or_fail(path, O_RDONLY | O_DIRECTORY);
  const int error = synced(fd) ? 0 : errno;
  ::close(fd);
  if (error != 0) fail("sync", path, error);
}

constexpr std::string_view partial_suffix = ".partial";

fs::path partial_name(const fs::path& path) {
  std::random_device random;
  const std::uint64_t number = std::uint64_t{random()} << 32 | random();
  return fs::path(path) += fmt::format(".{:016x}{}", number, partial_suffix);
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

bool is_named(int fd, const fs::path& path) {
  struct stat open {};
  struct stat named {};
  return ::fstat(fd, &open) == 0 && ::stat(path.c_str(), &named) == 0 && open.st_ino == named.st_ino;
}

// If there is a file `path`, gives it a second name. It keeps its first name all the while.
void keep_as(const fs::path& path, const fs::path& second) {
  const fs::path link = partial_name(second);
  if (::link(path.c_str(), link.c_str()) == 0) {
    const bool renamed = std::rename(link.c_str(), second.c_str()) == 0;
    const int error = errno;
    ::unlink(link.c_str());  // still there if both names were names of one file already
    if (!renamed) fail("keep the older", path, error);
    return;
  }
  // Some file systems have no hard links.
  if (errno != ENOENT && std::rename(path.c_str(), second.c_str()) != 0 && errno != ENOENT)
    fail("keep the older", path, errno);
}

}  // namespace

PartialFile::PartialFile(fs::path path)
    : path_(std::move(path)),
      partial_(partial_name(path_)),
      fd_(open_or_fail(partial_, O_WRONLY | O_CREAT | O_EXCL)) {}

PartialFile::~PartialFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!partial_.empty()) ::unlink(partial_.c_str());
}

void PartialFile::reserve(std::size_t bytes) const {
  const int error = ::posix_fallocate(fd_, 0, static_cast<off_t>(bytes));
  // Some file systems cannot reserve space; then a full disk shows when the bytes are written.
  if (error != 0 && error != EINVAL && error != EOPNOTSUPP) fail("write", partial_, error);
}

void PartialFile::write_at(std::size_t offset, std::span<const std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write", partial_, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::size_t>(written);
  }
}

void PartialFile::finish(Durability durability, const fs::path& keep_old_as) {
  if (!synced(fd_)) fail("sync", partial_, errno);
  const bool removed = !is_named(fd_, partial_);
  // Network file systems report a full disk here at the latest.
  if (::close(std::exchange(fd_, -1)) != 0 && errno != EINTR) fail("write", partial_, errno);
  if (removed) fail("replace", path_, ENOENT);
  if (!keep_old_as.empty()) keep_as(path_, keep_old_as);
  if (std::rename(partial_.c_str(), path_.c_str()) != 0) fail("replace", path_, errno);
  partial_.clear();
  if (durability == Durability::survives_power_loss) sync_folder(folder_of(path_));
}

MemoryFile::MemoryFile() {
  constexpr std::uintmax_t enough_bytes = 64 << 20;  // HDF5 may crash where space runs out
  std::error_code unseen;
  const fs::space_info room = fs::space("/dev/shm", unseen);
  const bool is_shm = !unseen && room.available >= enough_bytes;
  std::string name = (is_shm ? fs::path("/dev/shm") : fs::temp_directory_path()) / "lockstep-XXXXXX";
  fd_ = ::mkostemp(name.data(), O_CLOEXEC);
  path_ = name;
  if (fd_ < 0) fail("create", path_, errno);
}

MemoryFile::~MemoryFile() {
  hide();
  ::close(fd_);
}

void MemoryFile::hide() const { ::unlink(path_.c_str()); }

std::size_t MemoryFile::size() const {
  struct stat found {};
  if (::fstat(fd_, &found) != 0) fail("look at", path_, errno);
  return static_cast<std::size_t>(found.st_size);
}

void MemoryFile::read_at(std::size_t offset, std::span<std::byte> bytes) const {
  if (::pread(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset)) !=
      static_cast<ssize_t>(bytes.size()))
    fail("read", path_, errno);
}

void replace_file(const fs::path& path, std::span<const std::byte> bytes, Durability durability) {
  PartialFile partial(path);
  partial.write_at(0, bytes);
  partial.finish(durability);
}

void remove_partial_files(const fs::path& path) {
  const std::string start = path.filename().string() + ".";
  std::error_code ignored;  // a file that stays does no harm
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_of(path), ignored))
    if (const std::string name = entry.path().filename().string();
        name.starts_with(start) && name.ends_with(partial_suffix))
      fs::remove(entry.path(), ignored);
}

// The time is a part of it because inode numbers are used again.
std::string file_identity(const fs::path& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return {};
  return fmt::format("{}:{}.{:09}", found.st_ino, found.st_mtim.tv_sec, found.st_mtim.tv_nsec);
}

// A new folder's name is in its parent, which must be synced too.
void create_folders_for(const fs::path& path) {
  const fs::path folder = folder_of(path);
  std::error_code error;
  if (fs::is_directory(folder, error)) return;
  create_folders_for(folder);
  fs::create_directory(folder, error);
  if (error) fail("create the folder", folder, error.value());
  sync_folder(folder_of(folder));
}

void check_writable(const fs::path& path) {
  std::error_code ignored;  // PartialFile fails for a path that cannot be looked at
  if (fs::is_directory(path, ignored)) fail("write", path, EISDIR);
  const PartialFile partial(path);
}

}  // namespace lockstep::record
