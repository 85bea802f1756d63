// SPDX-License-Identifier: BSD-3-Clause
// Asks the system before MPI fails without a reason.
#include "comm/node_memory.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/host.hpp"
#include "core/platform.hpp"

namespace lockstep::comm {
namespace {

// Where Open MPI makes shared windows.
std::string window_folder() {
  const char* given = std::getenv("OMPI_MCA_osc_sm_backing_directory");
  return given != nullptr ? given : "/dev/shm";
}

std::string megabytes(std::size_t bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MB"; }

}  // namespace

std::string shared_memory_hint() {
  return "is /dev/shm full (ls -l /dev/shm), or small, as in containers (--shm-size=1g)? A disk will do: "
         "OMPI_MCA_osc_sm_backing_directory=/tmp OMPI_MCA_btl_vader_backing_directory=/tmp";
}

void check_shared_memory(const Communicator& node, std::size_t bytes) {
  if (node.size() == 1 || !node.is_root() || platform().is_simulated) return;
  const std::string folder = window_folder();
  struct statvfs found {};
  if (::statvfs(folder.c_str(), &found) != 0) return;  // MPI may know another place
  const std::size_t free = std::size_t{found.f_bavail} * found.f_frsize;
  if (free < bytes)
    throw Error({"the ranks of " + host_name() + " have too little shared memory",
                 megabytes(bytes) + " free in " + folder, megabytes(free), shared_memory_hint()});
}

std::string avoid_forbidden_copies() {
  char from = 1, to = 0;
  const iovec remote{.iov_base = &from, .iov_len = 1}, local{.iov_base = &to, .iov_len = 1};
  if (::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) == 1) return "";
  const std::string reason = std::strerror(errno);
  ::setenv("OMPI_MCA_btl_vader_single_copy_mechanism", "none", /*overwrite=*/0);
  return reason;
}

}  // namespace lockstep::comm
