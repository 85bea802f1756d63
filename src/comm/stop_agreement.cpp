// SPDX-License-Identifier: BSD-3-Clause
// One pending MPI_Iallreduce.
#include "comm/stop_agreement.hpp"

#include <algorithm>
#include <exception>

namespace lockstep::comm {

StopAgreement::StopAgreement(const Communicator& ranks) : ranks_(ranks.split(0)), last_s_(now_s()) {}

// The analyser looks for a request's beginning in the function that waits for it.
// NOLINTBEGIN(clang-analyzer-optin.mpi.MPI-Checker)
StopAgreement::~StopAgreement() {
  if (started_ && std::uncaught_exceptions() == 0) MPI_Wait(&pending_, MPI_STATUS_IGNORE);
}

bool StopAgreement::due() {
  if (++steps_ >= interval_) return true;
  if (started_ && pending_ != MPI_REQUEST_NULL && steps_ % (interval_ / tests_between + 1) == 0) {
    int done = 0;
    check(MPI_Test(&pending_, &done, MPI_STATUS_IGNORE), "MPI_Test");
  }
  return false;
}

void StopAgreement::start(const Request& mine) {
  const double now = now_s();
  exchanged_ = {mine.stop ? 1.0 : 0.0, mine.checkpoint ? 1.0 : 0.0, mine.diverged ? 1.0 : 0.0,
                (now - last_s_) / static_cast<double>(steps_)};
  last_s_ = now;
  check(MPI_Iallreduce(MPI_IN_PLACE, exchanged_.data(), static_cast<int>(exchanged_.size()), MPI_DOUBLE,
                       MPI_MAX, ranks_.handle(), &pending_),
        "MPI_Iallreduce");
  started_ = true;
}

Request StopAgreement::exchange(const Request& mine, PhaseTimer& phases) {
  Request agreed;
  if (started_) {
    phases.enter(Phase::wait);
    check(MPI_Wait(&pending_, MPI_STATUS_IGNORE), "MPI_Wait");
    started_ = false;
    agreed = {
        .stop = exchanged_[0] > 0.0, .checkpoint = exchanged_[1] > 0.0, .diverged = exchanged_[2] > 0.0};
    const double steps = between_s / std::max(exchanged_[3], 1e-9);
    interval_ = static_cast<std::size_t>(std::clamp(steps, 1.0, static_cast<double>(longest_interval)));
  }
  // Once something is agreed on, ranks have yet to do it: they would ask for it again.
  if (!agreed.any()) start(mine);
  steps_ = 0;
  return agreed;
}
// NOLINTEND(clang-analyzer-optin.mpi.MPI-Checker)

}  // namespace lockstep::comm
