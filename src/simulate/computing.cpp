// SPDX-License-Identifier: BSD-3-Clause
// Debts of ranks, and MPI's calls, in which they are paid (MPI-3.1, chapter 14: the profiling interface).
#include "simulate/computing.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <mpi.h>
#include <simgrid/s4u.hpp>

#include "core/text.hpp"

namespace lockstep::simulate {
namespace {

constexpr int bad_input = 2;

// [actor]: seconds of a core of speed 1. All actors are coroutines of one thread.
std::vector<double> debts;

double& debt() {
  const auto actor = static_cast<std::size_t>(simgrid::s4u::this_actor::get_pid());
  if (actor >= debts.size()) debts.resize(actor + 1);
  return debts[actor];
}

}  // namespace

bool ModelledComputing::begin(const Work& work) {
  try {
    debt() += table_.seconds_of(work);
  } catch (const std::exception& error) {  // would be every rank's, one after another
    fmt::print(stderr, "error: {}\n", visible(error.what()));
    std::fflush(nullptr);
    std::_Exit(bad_input);
  }
  return arithmetic_;
}

void pay_for_work() {
  if (debts.empty()) return;
  if (const double seconds = std::exchange(debt(), 0.0); seconds > 0.0)
    simgrid::s4u::this_actor::execute(seconds);
}

}  // namespace lockstep::simulate

// Each of these pays first. Those that take no time, and those before and after a training, need not.
#define PAYS(name, parameters, arguments) \
  int MPI_##name parameters {             \
    lockstep::simulate::pay_for_work();   \
    return PMPI_##name arguments;         \
  }

extern "C" {
PAYS(Barrier, (MPI_Comm comm), (comm))
PAYS(Ibarrier, (MPI_Comm comm, MPI_Request* request), (comm, request))
PAYS(Bcast, (void* buffer, int count, MPI_Datatype type, int root, MPI_Comm comm),
     (buffer, count, type, root, comm))
PAYS(Allreduce, (const void* from, void* to, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm),
     (from, to, count, type, op, comm))
PAYS(Iallreduce,
     (const void* from, void* to, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm,
      MPI_Request* request),
     (from, to, count, type, op, comm, request))
PAYS(Gather,
     (const void* from, int count, MPI_Datatype type, void* to, int to_count, MPI_Datatype to_type, int root,
      MPI_Comm comm),
     (from, count, type, to, to_count, to_type, root, comm))
PAYS(Gatherv,
     (const void* from, int count, MPI_Datatype type, void* to, const int* to_counts, const int* places,
      MPI_Datatype to_type, int root, MPI_Comm comm),
     (from, count, type, to, to_counts, places, to_type, root, comm))
PAYS(Send, (const void* from, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm),
     (from, count, type, to, tag, comm))
PAYS(Recv, (void* to, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Status* status),
     (to, count, type, from, tag, comm, status))
PAYS(Sendrecv,
     (const void* from, int count, MPI_Datatype type, int to, int tag, void* into, int into_count,
      MPI_Datatype into_type, int source, int into_tag, MPI_Comm comm, MPI_Status* status),
     (from, count, type, to, tag, into, into_count, into_type, source, into_tag, comm, status))
PAYS(Isend,
     (const void* from, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request* request),
     (from, count, type, to, tag, comm, request))
PAYS(Irecv, (void* to, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Request* request),
     (to, count, type, from, tag, comm, request))
PAYS(Test, (MPI_Request * request, int* done, MPI_Status* status), (request, done, status))
PAYS(Testall, (int count, MPI_Request requests[], int* done, MPI_Status statuses[]),
     (count, requests, done, statuses))
PAYS(Wait, (MPI_Request * request, MPI_Status* status), (request, status))
PAYS(Waitall, (int count, MPI_Request requests[], MPI_Status statuses[]), (count, requests, statuses))
PAYS(Finalize, (), ())

double MPI_Wtime() {
  lockstep::simulate::pay_for_work();
  return PMPI_Wtime();
}
}
