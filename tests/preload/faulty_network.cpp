// SPDX-License-Identifier: BSD-3-Clause
// To be preloaded: in one rank of a job, one bit of one long sum of floats arrives wrong.
//   FAULTY_RANK=R  FAULTY_CALL=N
#include <cstdlib>

#include <mpi.h>

extern "C" int MPI_Allreduce(const void* from, void* to, int count, MPI_Datatype type, MPI_Op op,
                             MPI_Comm comm) {
  const int result = PMPI_Allreduce(from, to, count, type, op, comm);
  static long calls = 0;
  int rank = 0;
  PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (type == MPI_FLOAT && count > 1000 && ++calls == std::atol(std::getenv("FAULTY_CALL")) &&
      rank == std::atoi(std::getenv("FAULTY_RANK")))
    static_cast<unsigned char*>(to)[4 * (count / 2) + 2] ^= 1;
  return result;
}
