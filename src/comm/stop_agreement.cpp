// SPDX-License-Identifier: BSD-3-Clause
// One pending MPI_Iallreduce.
#include "comm/stop_agreement.hpp"

#include <algorithm>
#include <exception>
#include <new>

#include "core/platform.hpp"

namespace lockstep::comm {

StopAgreement::StopAgreement(const Communicator& ranks) : ranks_(ranks.split(0)), last_s_(now_s()) {
  if (!platform().is_simulated) return;
  boards_.emplace(ranks_, 2 * sizeof(Board));
  if (ranks_.is_root()) new (boards_->bytes().data()) Board[2];
  boards_->fence();
}

StopAgreement::Board& StopAgreement::board() const {
  return reinterpret_cast<Board*>(boards_->bytes().data())[check_ins_ % 2];
}

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
  started_ = true;
  if (boards_) {
    ++check_ins_;
    Board& board = this->board();
    if (board.check_in != check_ins_) board = {.check_in = check_ins_, .arrived = 0, .largest = exchanged_};
    std::ranges::transform(exchanged_, board.largest, board.largest.begin(),
                           [](double a, double b) { return std::max(a, b); });
    check(MPI_Irecv(nullptr, 0, MPI_BYTE, MPI_ANY_SOURCE, 0, ranks_.handle(), &pending_), "MPI_Irecv");
    if (++board.arrived < ranks_.size()) return;
    for (std::size_t rank = 0; rank < ranks_.size(); ++rank)
      check(MPI_Send(nullptr, 0, MPI_BYTE, static_cast<int>(rank), 0, ranks_.handle()), "MPI_Send");
    return;
  }
  check(MPI_Iallreduce(MPI_IN_PLACE, exchanged_.data(), static_cast<int>(exchanged_.size()), MPI_DOUBLE,
                       MPI_MAX, ranks_.handle(), &pending_),
        "MPI_Iallreduce");
}

Request StopAgreement::exchange(const Request& mine, PhaseTimer& phases) {
  Request agreed;
  if (started_) {
    phases.enter(Phase::wait);
    check(MPI_Wait(&pending_, MPI_STATUS_IGNORE), "MPI_Wait");
    started_ = false;
    if (boards_) exchanged_ = board().largest;
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
