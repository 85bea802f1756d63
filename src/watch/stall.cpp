// SPDX-License-Identifier: BSD-3-Clause
// Late ranks, and how they are described.
#include "watch/stall.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <limits>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <signal.h>

#include "core/names.hpp"

namespace lockstep::watch {
namespace {

bool exchanges(const RankView& view) {
  return view.phase == static_cast<std::uint32_t>(Phase::wait) ||
         view.phase == static_cast<std::uint32_t>(Phase::exchange);
}

// States in which a process cannot run, whatever it waits for.
bool cannot_run(const RankView& view) {
  return std::string_view("TtZX-").find(view.state) != std::string_view::npos;
}

std::string state_text(const RankView& view) {
  switch (view.state) {
    case 'T':
      return "stopped by a signal (kill -CONT continues it)";
    case 't':
      return "stopped by a debugger";
    case 'Z':
    case 'X':
      return "has ended";
    case '-':
      return fmt::format(
          "not heard of for {:.0f} s: its node or its network is gone, or the process is stopped",
          view.idle_s);
    case 'D':
      return fmt::format("waits for a disk or a file system, for {:.0f} s", view.idle_s);
    default:
      return fmt::format("no progress for {:.0f} s", view.idle_s);
  }
}

std::string place_text(const RankView& view) {
  if (view.changes == 0) return "before its first step";
  return fmt::format("in {}, epoch {}, after step {}",
                     phase_names[std::min<std::size_t>(view.phase, phase_count - 1)], view.epoch + 1,
                     view.step);
}

std::string describe(const RankView& view, const std::string& host) {
  if (view.process == 0) return fmt::format("  rank {} on {}: {}\n", view.rank, host, state_text(view));
  return fmt::format("  rank {} on {} (process {}): {}; {}\n", view.rank, host, view.process,
                     state_text(view), place_text(view));
}

// "0, 2-5"
std::string ranges(const std::vector<std::uint32_t>& ranks) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < ranks.size();) {
    std::size_t end = i + 1;
    while (end < ranks.size() && ranks[end] == ranks[end - 1] + 1) ++end;
    parts.push_back(end - i < 3 ? fmt::format("{}", ranks[i])
                                : fmt::format("{}-{}", ranks[i], ranks[end - 1]));
    i = end - i < 3 ? i + 1 : end;
  }
  return join(parts, ", ");
}

}  // namespace

double idle_s(std::span<const RankView> ranks) {
  double least = std::numeric_limits<double>::infinity();
  for (const RankView& view : ranks) least = std::min(least, view.idle_s);
  return least;
}

std::vector<RankView> late_ranks(std::span<const RankView> ranks) {
  std::vector<RankView> late;
  std::ranges::copy_if(ranks, std::back_inserter(late), cannot_run);
  if (!late.empty()) return late;
  std::ranges::copy_if(ranks, std::back_inserter(late), [](const RankView& v) { return !exchanges(v); });
  if (!late.empty()) {  // of these, who has begun most exchanges may itself wait
    const std::uint64_t fewest = std::ranges::min(late, {}, &RankView::waits).waits;
    std::erase_if(late, [&](const RankView& v) { return v.waits > fewest; });
    return late;
  }
  const auto place = [](const RankView& v) { return std::pair(v.waits, v.since_wait); };
  const auto [last, first] = std::ranges::minmax(ranks, {}, place);
  if (place(last) == place(first)) return {};
  std::ranges::copy_if(ranks, std::back_inserter(late),
                       [&, behind = place(last)](const RankView& v) { return place(v) == behind; });
  return late;
}

std::string describe_stall(std::span<const RankView> ranks, std::span<const std::string> hosts) {
  const std::vector<RankView> late = late_ranks(ranks);
  constexpr std::size_t most_lines = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(late.size(), most_lines); ++i)
    text += describe(late[i], hosts[late[i].rank]);
  if (late.size() > most_lines) text += fmt::format("  and {} more ranks\n", late.size() - most_lines);
  std::vector<std::uint32_t> waiting;
  const RankView* example = nullptr;
  for (const RankView& view : ranks) {
    if (std::ranges::find(late, view.rank, &RankView::rank) != late.end()) continue;
    waiting.push_back(view.rank);
    example = &view;
  }
  if (example == nullptr) return text;
  if (late.empty())
    return fmt::format(
        "  all ranks are {}: no process is stopped, so the network or the MPI library moves nothing\n",
        place_text(*example));
  std::ranges::sort(waiting);
  return text + fmt::format("  waiting: rank{} {}; {}\n", waiting.size() == 1 ? "" : "s", ranges(waiting),
                            place_text(*example));
}

char process_state(std::int32_t process) {
  if (kill(process, 0) != 0 && errno == ESRCH) return 'X';
  std::ifstream file(fmt::format("/proc/{}/stat", process));
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const std::size_t name_end = text.rfind(')');  // the name before it may hold anything
  return name_end == std::string::npos || name_end + 2 >= text.size() ? '?' : text[name_end + 2];
}

}  // namespace lockstep::watch
