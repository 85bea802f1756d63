// SPDX-License-Identifier: BSD-3-Clause
// To be preloaded into a simulation: once rank 1 has called MPI_Barrier often enough (DEADLOCK_AFTER times),
// it waits for a message that nobody sends.
#include <cstdlib>

#include <dlfcn.h>
#include <mpi.h>

namespace {

int after() {
  const char* const text = std::getenv("DEADLOCK_AFTER");
  return text == nullptr ? 0 : std::atoi(text);
}

}  // namespace

// The profiling interface's name: the program has MPI_Barrier itself.
extern "C" int PMPI_Barrier(MPI_Comm communicator) {
  static const auto original = reinterpret_cast<int (*)(MPI_Comm)>(dlsym(RTLD_NEXT, "PMPI_Barrier"));
  static int calls = 0;  // all ranks are in one process, of which one at a time runs
  int rank = 0;
  PMPI_Comm_rank(communicator, &rank);
  if (rank == 1 && ++calls > after()) {
    constexpr int nobodys_tag = 4711;
    int never = 0;
    PMPI_Recv(&never, 1, MPI_INT, 0, nobodys_tag, communicator, MPI_STATUS_IGNORE);
  }
  return original(communicator);
}
