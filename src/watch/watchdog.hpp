// SPDX-License-Identifier: BSD-3-Clause
// Ends a job in which no rank makes progress, and names the ranks that the others wait for.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "comm/communicator.hpp"
#include "watch/board.hpp"
#include "watch/channel.hpp"
#include "watch/stall.hpp"

namespace lockstep::watch {

/// The exit status of a job that was ended because no rank made progress.
inline constexpr int stalled = 5;

/// A thread on each rank that looks at what all ranks do, once a second or more often. No rank has made
/// progress if none has changed its phase; a slow rank is no stall. After a tenth of the limit there is a
/// warning, after the limit the job ends: a message names the ranks that the others wait for, and the process
/// exits with status `stalled`, so that the launcher ends the others.
/// One rank decides: rank 0, to which the other nodes report. If it is itself silent, rank 0 of another node
/// decides; if the deciding rank of a node is stopped, the other ranks of its node do. A node that rank 0
/// never heard of may be at work: then a stall is reported but not ended.
/// The thread calls no MPI function, and only reads what ranks publish: a step is as fast with it as without.
class Watchdog {
 public:
  /// `limit_s` 0: does nothing. Both communicators outlive it. Collective over `ranks`.
  Watchdog(const comm::Communicator& ranks, const comm::Communicator& node, double limit_s);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// Where this rank publishes what it does; nullptr: nobody looks.
  [[nodiscard]] PublishedProgress* progress() const { return board_ ? &board_->mine().progress : nullptr; }
  /// This rank has made that many steps of an epoch.
  void publish(std::uint32_t epoch, std::size_t step) const;

 private:
  /// A rank as seen last.
  struct Seen {
    RankView view;
    double changed_s = 0.0;  // since when it looks so, on this rank's clock
    double heard_s = 0.0;
    bool is_known = false;
  };
  /// When a process was heard of last.
  struct Pulse {
    double heard_s = 0.0;
    bool is_known = false;
  };

  void watch();
  void look_at_own_node(double now);
  void update(const RankView& view, double now);
  void exchange_with_other_nodes(double now);
  [[nodiscard]] bool decides(double now) const;
  [[nodiscard]] std::vector<RankView> views(double now) const;
  void judge(double now);
  [[noreturn]] void end_job(const std::string& message) const;

  double limit_s_;
  double interval_s_;
  double silence_s_;  // without a sign of life for so long, someone is silent
  std::size_t rank_, node_rank_;
  std::vector<std::string> hosts_;  // [rank]
  std::unique_ptr<Board> board_;
  std::unique_ptr<Channel> channel_;
  std::vector<std::size_t> members_;  // of the node: their ranks in the job
  std::vector<Seen> seen_;            // [rank]
  std::uint64_t root_looks_ = 0;      // of the node's rank 0, as seen last
  Pulse node_root_, centre_;
  bool warned_ = false;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool ends_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace lockstep::watch
