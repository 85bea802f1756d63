// SPDX-License-Identifier: BSD-3-Clause
// The watchdog's thread.
#include "watch/watchdog.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <system_error>

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "core/clock.hpp"
#include "core/host.hpp"
#include "core/platform.hpp"

namespace lockstep::watch {
namespace {

// All ranks' hosts, on all ranks. Collective.
std::vector<std::string> hosts_of(const comm::Communicator& ranks) {
  std::string joined;
  for (const std::string& host : ranks.gather(host_name())) joined += host + '\n';
  ranks.broadcast(joined);
  std::vector<std::string> hosts;
  for (std::size_t at = 0; at < joined.size();) {
    const std::size_t end = joined.find('\n', at);
    hosts.push_back(joined.substr(at, end - at));
    at = end + 1;
  }
  return hosts;
}

}  // namespace

Watchdog::Watchdog(const comm::Communicator& ranks, const comm::Communicator& node, double limit_s)
    : limit_s_(limit_s),
      interval_s_(std::clamp(limit_s / 20.0, 0.02, 1.0)),
      silence_s_(std::max(limit_s / 2.0, 5.0 * interval_s_)),
      rank_(ranks.rank()),
      node_rank_(node.rank()) {
  if (limit_s <= 0.0 || platform().is_simulated) return;
  hosts_ = hosts_of(ranks);
  board_ = std::make_unique<Board>(node);
  channel_ = Channel::make(ranks, node);
  members_ = ranks.ranks_of(node);
  seen_.resize(ranks.size());
  for (std::size_t rank = 0; rank < seen_.size(); ++rank)
    seen_[rank].view.rank = static_cast<std::uint32_t>(rank);
  // Stop signals are for the thread that trains.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { watch(); });
    pthread_setname_np(thread_.native_handle(), "watchdog");
  } catch (const std::system_error& error) {
    fmt::print(stderr, "note: rank {} is not watched for stalls: no thread could be started ({})\n", rank_,
               error.code().message());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Watchdog::~Watchdog() {
  if (!thread_.joinable()) return;
  {
    const std::scoped_lock lock(mutex_);
    ends_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Watchdog::publish(std::uint32_t epoch, std::size_t step) const {
  if (!board_) return;
  board_->mine().progress.epoch.store(epoch, std::memory_order_relaxed);
  board_->mine().progress.step.store(static_cast<std::uint32_t>(step), std::memory_order_relaxed);
}

void Watchdog::watch() {
  const auto interval = std::chrono::duration<double>(interval_s_);
  double last = now_s();
  node_root_ = {.heard_s = last, .is_known = true};
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, interval, [this] { return ends_; })) {
    const double now = now_s();
    // Whoever was stopped itself, as all ranks of a suspended job are, begins to watch anew.
    if (now - last > 5.0 * interval_s_ + 1.0) {
      node_root_.heard_s = centre_.heard_s = now;
      for (Seen& seen : seen_) seen.changed_s = seen.heard_s = now;
    }
    last = now;
    look_at_own_node(now);
    exchange_with_other_nodes(now);
    if (decides(now)) judge(now);
  }
}

void Watchdog::look_at_own_node(double now) {
  const std::uint64_t own_namespace = own_process_namespace();
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const Board::Place& place = board_->places()[i];
    RankView view{.rank = static_cast<std::uint32_t>(members_[i]),
                  .process = place.process,
                  .phase = place.progress.phase,
                  .epoch = place.progress.epoch,
                  .step = place.progress.step,
                  .changes = place.progress.changes,
                  .waits = place.progress.waits,
                  .since_wait = place.progress.since_wait};
    if (place.process_namespace == own_namespace) view.state = process_state(view.process);
    update(view, now);
  }
  ++board_->mine().looks;
  if (const std::uint64_t looks = board_->places()[0].looks; looks != root_looks_) {
    root_looks_ = looks;
    node_root_.heard_s = now;
  }
}

void Watchdog::update(const RankView& view, double now) {
  Seen& seen = seen_[view.rank];
  if (!seen.is_known || view.changes != seen.view.changes) seen.changed_s = now;
  seen.is_known = true;
  seen.heard_s = now;
  seen.view = view;
}

void Watchdog::exchange_with_other_nodes(double now) {
  if (!channel_) return;
  if (channel_->is_centre()) {
    for (const RankView& view : channel_->collect())
      if (view.rank < seen_.size()) update(view, now);
    return;
  }
  std::vector<RankView> own;
  for (const std::size_t member : members_) own.push_back(seen_[member].view);
  channel_->report(own);
  if (!channel_->is_answered()) return;
  centre_ = {.heard_s = now, .is_known = true};
  seen_[0] = {.view = {}, .changed_s = now, .heard_s = now, .is_known = true};
}

// The job's rank 0; if that is silent, rank 0 of another node; if that is silent, its node's others.
bool Watchdog::decides(double now) const {
  const auto is_silent = [&](const Pulse& pulse) {
    return pulse.is_known && now - pulse.heard_s >= silence_s_;
  };
  return rank_ == 0 || is_silent(node_rank_ == 0 ? centre_ : node_root_);
}

// What is known of all ranks. A rank that was heard of and is not any more is silent.
std::vector<RankView> Watchdog::views(double now) const {
  std::vector<RankView> all;
  for (const Seen& seen : seen_) {
    if (!seen.is_known) continue;
    all.push_back(seen.view);
    all.back().idle_s = now - seen.changed_s;
    if (now - seen.heard_s >= silence_s_) all.back().state = '-';
  }
  return all;
}

void Watchdog::judge(double now) {
  const std::vector<RankView> known = views(now);
  const double idle = idle_s(known);
  if (idle < limit_s_ / 10.0) {
    if (warned_) fmt::print(stderr, "note: the ranks make progress again\n");
    warned_ = false;
    return;
  }
  const std::size_t unknown = rank_ == 0 ? seen_.size() - known.size() : 0;
  // Ranks that decide in place of a silent one do not all come to it at once.
  const double in_turn_s =
      rank_ == 0 ? 0.0 : 2.0 * interval_s_ * static_cast<double>(std::min<std::size_t>(rank_, 10));
  if (idle >= limit_s_ + in_turn_s && unknown == 0)
    end_job(
        fmt::format("error: no rank has made progress for {:.3g} s\n{}"
                    "  hint:     --stall-seconds N waits longer, 0 for ever; --resume continues from the "
                    "last checkpoint\n",
                    idle, describe_stall(known, hosts_)));
  if (warned_ || board_->places()[0].reported != 0) return;
  warned_ = true;
  fmt::print(stderr, "warning: no rank has made progress for {:.3g} s\n{}", idle,
             describe_stall(known, hosts_));
  if (unknown == 0)
    fmt::print(stderr, "  the job ends when this has lasted {:.3g} s (--stall-seconds)\n", limit_s_);
  else
    fmt::print(stderr, "  nothing is known of {} ranks on other nodes, so the job is not ended\n", unknown);
}

void Watchdog::end_job(const std::string& message) const {
  // Several ranks of a node may end the job at once; one of them prints.
  if (board_->places()[0].reported.exchange(1) == 0) fmt::print(stderr, "{}", message);
  std::fflush(nullptr);
  _exit(stalled);
}

}  // namespace lockstep::watch
