// SPDX-License-Identifier: BSD-3-Clause
// Loops that take times.
#include "simulate/measure.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <numeric>
#include <utility>

#include "comm/transfer.hpp"
#include "core/aligned.hpp"
#include "core/clock.hpp"
#include "core/host.hpp"
#include "math/gemm.hpp"
#include "record/binding.hpp"

namespace lockstep::simulate {
namespace {

// Seconds of one call.
template <class Act>
double time_of(Act act) {
  const double start_s = now_s();
  act();
  return now_s() - start_s;
}

// The least of so many calls.
template <class Act>
double least_time_of(std::size_t calls, Act act) {
  double least_s = std::numeric_limits<double>::max();
  for (std::size_t i = 0; i < calls; ++i) least_s = std::min(least_s, time_of(act));
  return least_s;
}

std::size_t count_for(double seconds, double each_s, std::size_t least, std::size_t most) {
  constexpr double shortest_s = 1e-9;
  const double count = std::ceil(seconds / std::max(each_s, shortest_s));
  return static_cast<std::size_t>(std::clamp(count, static_cast<double>(least), static_cast<double>(most)));
}

void copy(std::span<float> to, std::span<const float> from) {
  std::memcpy(to.data(), from.data(), from.size_bytes());
}

constexpr std::array stream_rows{
    Stream{"copy", "to = from", 2.0 * sizeof(float), copy},
    Stream{"add", "to += from, as sums of gradients do", 3.0 * sizeof(float), comm::add},
};

}  // namespace

std::size_t cores_here() {
  std::ifstream file("/sys/devices/system/cpu/online");
  std::string cpus;  // "0-63"
  std::getline(file, cpus);
  return record::cores_of(cpus);
}

Layout layout_of(const comm::Communicator& ranks) {
  const comm::Communicator node = ranks.node();
  std::vector<double> first(ranks.size(), 0.0);  // [rank]: the first rank of its node
  first[ranks.rank()] = static_cast<double>(ranks.ranks_of(node).front());
  ranks.sum(first);
  Layout layout;
  std::vector<std::size_t> node_of(ranks.size());
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const auto leader = static_cast<std::size_t>(first[rank]);
    if (leader == rank) {
      node_of[rank] = layout.nodes.size();
      layout.nodes.emplace_back();
    }
    layout.nodes[node_of[leader]].push_back(rank);
  }
  layout.hosts = ranks.gather(host_name());
  layout.cores = static_cast<std::size_t>(-ranks.max(-static_cast<double>(cores_here())));
  return layout;
}

std::vector<Quartiles> time_messages(const comm::Communicator& ranks, std::span<const Pair> pairs,
                                     std::size_t bytes, Way way, double seconds) {
  const std::size_t me = ranks.rank();
  const auto mine =
      std::ranges::find_if(pairs, [&](const Pair& pair) { return pair.first == me || pair.second == me; });
  const bool takes_part = mine != pairs.end();
  const bool is_first = takes_part && mine->first == me;
  const std::size_t other = !takes_part ? me : is_first ? mine->second : mine->first;
  // What is sent was just received, so that no message is of lines that nobody has changed.
  AlignedVector<float> data(takes_part ? bytes / sizeof(float) : 0, 1.0F);
  AlignedVector<float> received(way == Way::both_ways ? data.size() : 0, 1.0F);
  const auto once = [&] {
    if (way == Way::both_ways) {
      comm::exchange(ranks, data, other, received, other);
      std::swap(data, received);
    } else if (is_first) {
      comm::send(ranks, data, other);
      comm::receive(ranks, data, other);
    } else {
      comm::receive(ranks, data, other);
      comm::send(ranks, data, other);
    }
  };

  ranks.barrier();
  const std::size_t trials =
      bytes <= (std::size_t{1} << 18) ? 20 : 3;  // the long ones take long on slow networks
  const double once_s = ranks.max(takes_part ? least_time_of(trials, once) : 0.0);
  constexpr double block_s = 5e-5;  // long against the clock's resolution
  const std::size_t in_block = count_for(block_s, once_s, 1, 10'000);
  const std::size_t blocks = count_for(seconds, static_cast<double>(in_block) * once_s, 7, 2000);
  const double messages = static_cast<double>(in_block) * (way == Way::both_ways ? 1.0 : 2.0);
  std::vector<double> times;
  ranks.barrier();
  for (std::size_t block = 0; takes_part && block < blocks; ++block)
    times.push_back(time_of([&] {
                      for (std::size_t i = 0; i < in_block; ++i) once();
                    }) /
                    messages);

  std::vector<double> all(3 * pairs.size(), 0.0);
  if (is_first) {
    const Quartiles found = quartiles_of(times);
    const auto at = 3 * (mine - pairs.begin());
    std::ranges::copy(std::array{found.low, found.median, found.high}, all.begin() + at);
  }
  ranks.sum(all);
  std::vector<Quartiles> result;
  for (std::size_t i = 0; i < all.size(); i += 3)
    result.push_back({.low = all[i], .median = all[i + 1], .high = all[i + 2]});
  return result;
}

std::span<const Stream> streams() { return stream_rows; }

std::vector<double> stream_rates(const comm::Communicator& ranks, const Stream& stream, bool all_at_once,
                                 double seconds) {
  constexpr std::size_t floats = std::size_t{16} << 20;  // 64 MiB
  constexpr std::size_t least = 5;
  double rate = 0.0;
  const bool takes_part = all_at_once || ranks.is_root();
  AlignedVector<float> to(takes_part ? floats : 0, 0.5F), from(to.size(), 0.25F);
  ranks.barrier();
  if (takes_part) {
    std::vector<double> times;
    const double start_s = now_s();
    while (times.size() < least || now_s() - start_s < seconds)
      times.push_back(time_of([&] { stream.pass(to, from); }));
    rate = stream.bytes_per_float * static_cast<double>(floats) / quantile(times, 0.5);
  }
  ranks.barrier();  // nobody frees memory while others stream
  return ranks.gather(std::span(&rate, 1));
}

std::vector<std::vector<double>> time_quanta(const comm::Communicator& ranks, double seconds) {
  constexpr std::size_t n = 64;  // 48 KB: in the nearest caches, so that it is the core that is measured
  const auto gemm = math::make_gemm("tiled");
  std::vector<float> a(n * n, 0.5F), b(n * n, 0.25F), c(n * n);
  const auto product = [&] {
    gemm->multiply(1.0F, {a.data(), n, n}, math::Op::none, {b.data(), n, n}, math::Op::none, 0.0F,
                   {c.data(), n, n});
  };
  constexpr double quantum_s = 1e-3, warm_up_s = 0.1;
  for (const double start_s = now_s(); now_s() - start_s < warm_up_s;) product();
  const double product_s = ranks.max(least_time_of(20, product));
  const std::size_t products = count_for(quantum_s, product_s, 1, 1'000'000);
  const std::size_t quanta = count_for(seconds, quantum_s, 50, 100'000);
  std::vector<double> mine;
  ranks.barrier();
  for (std::size_t i = 0; i < quanta; ++i)
    mine.push_back(time_of([&] {
      for (std::size_t k = 0; k < products; ++k) product();
    }));
  const std::vector<double> all = ranks.gather(mine);
  std::vector<std::vector<double>> by_rank;
  for (auto at = all.begin(); at != all.end(); at += static_cast<std::ptrdiff_t>(quanta))
    by_rank.emplace_back(at, at + static_cast<std::ptrdiff_t>(quanta));
  return by_rank;
}

namespace {

struct Moments {
  double mean = 0.0, cv = 0.0;
};

Moments moments_of(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0.0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {.mean = mean, .cv = mean > 0.0 ? std::sqrt(squares / count) / mean : 0.0};
}

}  // namespace

Noise noise_of(const std::vector<std::vector<double>>& seconds) {
  std::vector<double> medians, cvs, ratios, delays;
  for (const std::vector<double>& times : seconds) {
    medians.push_back(quantile(times, 0.5));
    cvs.push_back(moments_of(times).cv);
    for (const double time : times) {
      ratios.push_back(time / medians.back());
      delays.push_back(std::max(0.0, ratios.back() - 1.0));
    }
  }
  const Moments delay = moments_of(delays);
  Noise noise{.quanta = seconds.front().size(),
              .quantum_s = quantile(medians, 0.5),
              .cv = quantile(cvs, 0.5),
              .p99 = quantile(ratios, 0.99),
              .largest = std::ranges::max(ratios),
              .mean_delay = delay.mean,
              .delay_cv = delay.cv};
  for (const double median : medians) noise.speeds.push_back(noise.quantum_s / median);
  return noise;
}

}  // namespace lockstep::simulate
