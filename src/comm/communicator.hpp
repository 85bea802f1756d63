// SPDX-License-Identifier: BSD-3-Clause
// RAII over an MPI communicator, with the few small collectives that the rest of the program needs.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

// The MPI library's C++ bindings left the standard long ago; without them its header compiles faster and
// warns less.
#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX 1
#endif
#include <mpi.h>

namespace lockstep::comm {

/// Throws Error when an MPI call failed; `what` names the call.
void check(int mpi_code, const char* what);
/// A size as MPI's int; throws Error when it is too large for one. `what` names the thing counted.
[[nodiscard]] int to_mpi_int(std::size_t value, const char* what);

/// MPI from start to end of main. MPI errors are returned and checked, not fatal by themselves.
/// While an exception unwinds, this class and the handles below do not call MPI's collective "free"
/// functions: the other ranks would never call them, and the error would become a hang. Only abort_job ends
/// the job then.
class MpiSession {
 public:
  MpiSession(int& argc, char**& argv);
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  /// Why ranks of a node cannot copy out of each other's memory, or "".
  [[nodiscard]] const std::string& no_copies() const { return no_copies_; }

 private:
  std::string no_copies_;
};

/// Ends the whole job, all ranks, at once. For failures that the other ranks cannot know of.
[[noreturn]] void abort_job(int exit_status);

/// The MPI library's name and version, one line.
[[nodiscard]] std::string mpi_library();

/// A group of ranks. Move-only; frees what it created.
class Communicator {
 public:
  /// All ranks of the job, in a communicator of this program's own: its messages meet no others. Collective.
  [[nodiscard]] static Communicator world();
  /// The ranks that share this rank's memory. Collective.
  [[nodiscard]] Communicator node() const;
  /// The ranks that gave the same `group`, in the order of their ranks here. Collective.
  [[nodiscard]] Communicator split(std::size_t group) const;

  ~Communicator();
  Communicator(Communicator&& other) noexcept;
  Communicator& operator=(Communicator&& other) noexcept;

  [[nodiscard]] std::size_t rank() const { return rank_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool is_root() const { return rank_ == 0; }
  /// The ranks here of the members of `part`, in its order; all of them must be ranks here.
  [[nodiscard]] std::vector<std::size_t> ranks_of(const Communicator& part) const;

  /// Collective.
  void barrier() const;
  /// The same text on every rank: root's. Collective.
  void broadcast(std::string& text, std::size_t root = 0) const;
  /// The same numbers on every rank: rank 0's. Equally many on all. Collective.
  void broadcast(std::span<double> numbers) const;
  void broadcast(std::span<float> numbers) const;
  /// Sum or maximum over all ranks of each element, in place. Collective. For a few numbers, off the fast
  /// path.
  void sum(std::span<double> inout) const;
  void max(std::span<double> inout) const;
  [[nodiscard]] double max(double value) const;
  /// On rank 0: [rank][i], ranks one after another; elsewhere empty. `mine` is equally long on all.
  /// Collective.
  [[nodiscard]] std::vector<double> gather(std::span<const double> mine) const;
  /// On rank 0: the text of each rank; elsewhere empty. Collective.
  [[nodiscard]] std::vector<std::string> gather(const std::string& mine) const;

  /// If `failure` is not "" on some rank, all ranks throw AgreedError with the text of the first such rank.
  /// Collective.
  void agree_on_failure(const std::string& failure) const;

  [[nodiscard]] MPI_Comm handle() const { return handle_; }

 private:
  explicit Communicator(MPI_Comm handle);  // takes over `handle`

  MPI_Comm handle_ = MPI_COMM_NULL;
  std::size_t rank_ = 0;
  std::size_t size_ = 1;
};

}  // namespace lockstep::comm
