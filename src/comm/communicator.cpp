// SPDX-License-Identifier: BSD-3-Clause
// Error checks, start and end of MPI, and the small collectives.
#include "comm/communicator.hpp"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <limits>
#include <numeric>
#include <utility>

#include "comm/node_memory.hpp"
#include "core/error.hpp"
#include "core/platform.hpp"

namespace lockstep::comm {

void check(int mpi_code, const char* what) {
  if (mpi_code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  if (MPI_Error_string(mpi_code, text, &length) != MPI_SUCCESS) length = 0;
  throw Error(
      {.what = std::string(what) + " failed", .got = std::string(text, static_cast<std::size_t>(length))});
}

int to_mpi_int(std::size_t value, const char* what) {
  constexpr int limit = std::numeric_limits<int>::max();
  if (value > static_cast<std::size_t>(limit))
    throw Error({.what = std::string(what) + ": too many for one MPI call",
                 .expected = "at most " + std::to_string(limit),
                 .got = std::to_string(value)});
  return static_cast<int>(value);
}

MpiSession::MpiSession(int& argc, char**& argv)
    : no_copies_(platform().is_simulated ? "" : avoid_forbidden_copies()) {
  int provided = MPI_THREAD_SINGLE;
  check(MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
  if (provided < MPI_THREAD_FUNNELED && !platform().is_simulated)  // there no thread is started
    throw Error({.what = "this MPI library does not allow threads beside the one that calls MPI",
                 .expected = "MPI_THREAD_FUNNELED"});
  check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
}

MpiSession::~MpiSession() {
  if (std::uncaught_exceptions() == 0) MPI_Finalize();
}

void abort_job(int exit_status) {
  if (!platform().is_simulated) MPI_Abort(MPI_COMM_WORLD, exit_status);  // there all ranks end with this one
  std::_Exit(exit_status);                                               // MPI_Abort may return
}

std::string mpi_library() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  check(MPI_Get_library_version(text, &length), "MPI_Get_library_version");
  std::string line(text, static_cast<std::size_t>(length));
  // "Open MPI v4.1.4, package: ..." or "MPICH Version:\t4.0.2\n...": what follows is about the build.
  line.resize(std::min(line.find_first_of(",\n"), line.size()));
  for (char& c : line)
    if (c == '\t' || c == '\r' || c == '\0') c = ' ';
  return line;
}

Communicator::Communicator(MPI_Comm handle) : handle_(handle) {
  int rank = 0;
  int size = 0;
  check(MPI_Comm_rank(handle_, &rank), "MPI_Comm_rank");
  check(MPI_Comm_size(handle_, &size), "MPI_Comm_size");
  rank_ = static_cast<std::size_t>(rank);
  size_ = static_cast<std::size_t>(size);
}

Communicator Communicator::world() {
  MPI_Comm handle = MPI_COMM_NULL;
  check(MPI_Comm_dup(MPI_COMM_WORLD, &handle), "MPI_Comm_dup");
  return Communicator(handle);
}

Communicator Communicator::node() const {
  if (platform().is_simulated)
    return split(platform().node_number());  // each core is a host of its own there
  MPI_Comm handle = MPI_COMM_NULL;
  check(
      MPI_Comm_split_type(handle_, MPI_COMM_TYPE_SHARED, to_mpi_int(rank_, "ranks"), MPI_INFO_NULL, &handle),
      "MPI_Comm_split_type");
  return Communicator(handle);
}

Communicator Communicator::split(std::size_t group) const {
  MPI_Comm handle = MPI_COMM_NULL;
  check(MPI_Comm_split(handle_, to_mpi_int(group, "groups"), to_mpi_int(rank_, "ranks"), &handle),
        "MPI_Comm_split");
  return Communicator(handle);
}

Communicator::~Communicator() {
  if (handle_ != MPI_COMM_NULL && std::uncaught_exceptions() == 0) MPI_Comm_free(&handle_);
}

Communicator::Communicator(Communicator&& other) noexcept
    : handle_(std::exchange(other.handle_, MPI_COMM_NULL)), rank_(other.rank_), size_(other.size_) {}

Communicator& Communicator::operator=(Communicator&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(rank_, other.rank_);
  std::swap(size_, other.size_);
  return *this;
}

std::vector<std::size_t> Communicator::ranks_of(const Communicator& part) const {
  std::vector<int> of_part(part.size()), here(part.size());
  std::iota(of_part.begin(), of_part.end(), 0);
  MPI_Group group_here = MPI_GROUP_NULL, group_of_part = MPI_GROUP_NULL;
  check(MPI_Comm_group(handle_, &group_here), "MPI_Comm_group");
  check(MPI_Comm_group(part.handle_, &group_of_part), "MPI_Comm_group");
  check(MPI_Group_translate_ranks(group_of_part, to_mpi_int(part.size(), "ranks"), of_part.data(), group_here,
                                  here.data()),
        "MPI_Group_translate_ranks");
  MPI_Group_free(&group_here);
  MPI_Group_free(&group_of_part);
  assert(std::ranges::find(here, MPI_UNDEFINED) == here.end());
  return {here.begin(), here.end()};
}

void Communicator::barrier() const { check(MPI_Barrier(handle_), "MPI_Barrier"); }

void Communicator::broadcast(std::string& text, std::size_t root) const {
  std::uint64_t length = text.size();
  const int root_rank = to_mpi_int(root, "ranks");
  check(MPI_Bcast(&length, 1, MPI_UINT64_T, root_rank, handle_), "MPI_Bcast");
  text.resize(length);
  if (length == 0) return;  // SimGrid 3.32 divides by lengths, here and below
  check(MPI_Bcast(text.data(), to_mpi_int(length, "bytes of text"), MPI_CHAR, root_rank, handle_),
        "MPI_Bcast");
}

void Communicator::broadcast(std::span<double> numbers) const {
  if (numbers.empty()) return;
  check(MPI_Bcast(numbers.data(), to_mpi_int(numbers.size(), "numbers"), MPI_DOUBLE, 0, handle_),
        "MPI_Bcast");
}

void Communicator::broadcast(std::span<float> numbers) const {
  if (numbers.empty()) return;
  check(MPI_Bcast(numbers.data(), to_mpi_int(numbers.size(), "numbers"), MPI_FLOAT, 0, handle_), "MPI_Bcast");
}

void Communicator::sum(std::span<double> inout) const {
  if (inout.empty()) return;
  check(MPI_Allreduce(MPI_IN_PLACE, inout.data(), to_mpi_int(inout.size(), "numbers"), MPI_DOUBLE, MPI_SUM,
                      handle_),
        "MPI_Allreduce");
}

void Communicator::max(std::span<double> inout) const {
  if (inout.empty()) return;
  check(MPI_Allreduce(MPI_IN_PLACE, inout.data(), to_mpi_int(inout.size(), "numbers"), MPI_DOUBLE, MPI_MAX,
                      handle_),
        "MPI_Allreduce");
}

double Communicator::max(double value) const {
  max(std::span(&value, 1));
  return value;
}

void Communicator::agree_on_failure(const std::string& failure) const {
  // The largest of the negative ranks: the first rank that failed.
  const double none = -static_cast<double>(size_);
  const double first = max(failure.empty() ? none : -static_cast<double>(rank_));
  if (first == none) return;
  std::string text = failure;
  broadcast(text, static_cast<std::size_t>(-first));
  throw AgreedError({.what = text});
}

std::vector<double> Communicator::gather(std::span<const double> mine) const {
  if (mine.empty()) return {};
  const int count = to_mpi_int(mine.size(), "numbers");
  std::vector<double> all(is_root() ? mine.size() * size_ : 0);
  check(MPI_Gather(mine.data(), count, MPI_DOUBLE, all.data(), count, MPI_DOUBLE, 0, handle_), "MPI_Gather");
  return all;
}

std::vector<std::string> Communicator::gather(const std::string& mine) const {
  const int length = to_mpi_int(mine.size(), "bytes of text");
  std::vector<int> lengths(is_root() ? size_ : 0);
  check(MPI_Gather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, 0, handle_), "MPI_Gather");

  std::vector<int> offsets(lengths.size());
  std::size_t total = 0;
  for (std::size_t r = 0; r < lengths.size(); ++r) {
    offsets[r] = to_mpi_int(total, "bytes of text");
    total += static_cast<std::size_t>(lengths[r]);
  }
  std::string joined(total, '\0');
  check(MPI_Gatherv(mine.data(), length, MPI_CHAR, joined.data(), lengths.data(), offsets.data(), MPI_CHAR, 0,
                    handle_),
        "MPI_Gatherv");

  std::vector<std::string> texts;
  for (std::size_t r = 0; r < lengths.size(); ++r)
    texts.push_back(
        joined.substr(static_cast<std::size_t>(offsets[r]), static_cast<std::size_t>(lengths[r])));
  return texts;
}

}  // namespace lockstep::comm
