// SPDX-License-Identifier: BSD-3-Clause
// A common clock, and timelines that reach rank 0 one after another.
#include "train/tracer.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <span>

#include <fmt/format.h>

#include "comm/messages.hpp"
#include "core/host.hpp"
#include "core/json.hpp"
#include "core/platform.hpp"
#include "core/text.hpp"
#include "record/trace_file.hpp"
#include "train/failure.hpp"

namespace lockstep::train {
namespace {

constexpr int tag = 1;  // transfers of arrays have another one

template <class Value>
std::span<std::byte> bytes_of(Value& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}

// On rank 0: calls use(text) with the text of every rank, in their order; the others make theirs when their
// turn comes. So rank 0 has one at a time. Collective.
template <class Make, class Use>
void in_turn(const comm::Communicator& ranks, const Make& make, const Use& use) {
  comm::Messages messages(ranks, 1, tag);
  std::size_t length = 0;
  if (!ranks.is_root()) {
    messages.receive(0, bytes_of(length), 0);  // the turn
    messages.wait_all();
    const std::string text = make();
    length = text.size();
    messages.send(0, bytes_of(length), 0);
    messages.wait_all();
    messages.send(0, std::as_bytes(std::span(text)), 0);
    messages.wait_all();
    return;
  }
  use(make());
  for (std::size_t rank = 1; rank < ranks.size(); ++rank) {
    messages.send(0, bytes_of(length), rank);
    messages.wait_all();
    messages.receive(0, bytes_of(length), rank);
    messages.wait_all();
    std::string text(length, '\0');
    messages.receive(0, std::as_writable_bytes(std::span(text)), rank);
    messages.wait_all();
    use(text);
  }
}

std::string clock_description(bool one_host) {
  if (platform().is_simulated) return "simulated seconds, the same on all hosts";
  const std::string monotonic = "CLOCK_MONOTONIC since before the first step";
  return one_host
             ? monotonic + ", the same for all ranks"
             : monotonic + "; those of different hosts were aligned once, at barriers before the first step";
}

}  // namespace

Tracer::Tracer(const comm::Communicator& ranks, const comm::Communicator& node, const LaunchOptions& launch,
               PhaseTimer& phases)
    : ranks_(ranks), node_(node), launch_(launch), phases_(phases) {
  if (launch_.trace.empty()) return;
  timeline_.emplace(launch_.trace_steps);
  phases_.record_to(&*timeline_);
}

void Tracer::start() {
  if (!timeline_) return;
  first_of_host_ = static_cast<std::size_t>(-node_.max(-static_cast<double>(ranks_.rank())));
  origin_s_ = common_origin();
}

// Ranks of one host have one clock. Those of others leave a barrier at about the same time: the median of a
// few is within microseconds.
double Tracer::common_origin() const {
  constexpr std::size_t barriers = 9;
  std::array<double, barriers> mine{}, of_root{};
  for (double& left_s : mine) {
    ranks_.barrier();
    left_s = now_s();
  }
  of_root = mine;
  ranks_.broadcast(std::span<double>(of_root));
  if (platform().is_simulated || node_.size() == ranks_.size()) return of_root.back();
  std::array<double, barriers> ahead{};
  for (std::size_t i = 0; i < barriers; ++i) ahead[i] = mine[i] - of_root[i];
  std::ranges::nth_element(ahead, ahead.begin() + barriers / 2);
  std::array<double, 1> of_host{ahead[barriers / 2]};
  node_.broadcast(std::span<double>(of_host));
  return of_root.back() + of_host[0];
}

std::string Tracer::events() const {
  return record::trace_events(*timeline_, {.process = first_of_host_,
                                           .names_process = node_.is_root(),
                                           .host = host_name(),
                                           .rank = ranks_.rank(),
                                           .origin_s = origin_s_});
}

std::string Tracer::write_file(const Json& about) const {
  std::optional<record::TraceFile> file;
  std::string failure;
  const auto attempt = [&](const auto& action) {
    if (failure.empty()) failure = failure_of(action);
  };
  if (ranks_.is_root()) attempt([&] { file.emplace(launch_.trace); });
  in_turn(
      ranks_, [&] { return events(); },
      [&](const std::string& of_rank) { attempt([&] { file->add(of_rank); }); });
  if (ranks_.is_root()) attempt([&] { file->finish(about); });
  return failure;
}

void Tracer::write(Json about, bool is_quiet) {
  if (!timeline_) return;
  phases_.record_to(nullptr);
  const auto recorded =
      static_cast<std::size_t>(-ranks_.max(-static_cast<double>(timeline_->steps_recorded())));
  const std::size_t steps = timeline_->steps_recorded() + timeline_->steps_left_out();
  about["clock"] = clock_description(node_.size() == ranks_.size());
  about["steps_recorded"] = recorded;
  about["steps_left_out"] = steps - recorded;
  about["trace_steps"] = launch_.trace_steps;
  const std::string failure = write_file(about);
  if (!ranks_.is_root()) return;
  const std::string path = visible(launch_.trace);
  if (!failure.empty())
    fmt::print(stderr, "warning: the trace could not be written: {}\n", failure);
  else if (recorded < steps)
    fmt::print(stderr, "note: the trace {} has the first {} of {} steps; --trace-steps gives another limit\n",
               path, recorded, steps);
  else if (!is_quiet)
    fmt::print("trace of {} steps -> {}\n", steps, path);
}

}  // namespace lockstep::train
