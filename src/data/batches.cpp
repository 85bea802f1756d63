// SPDX-License-Identifier: BSD-3-Clause
// Division of an epoch, and the gathering of batches.
#include "data/batches.hpp"

#include <algorithm>
#include <cassert>

#include <fmt/format.h>

#include "core/aligned.hpp"
#include "core/random.hpp"

namespace lockstep::data {
namespace {

std::size_t divide_up(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

// Asks for a sample's columns to be brought near.
void ask_for(const Values& values, std::uint32_t id, Range columns) {
  constexpr int read = 0;
  constexpr int second_level = 2;  // the first is busy with the step at work
  const std::size_t bytes = bytes_of(values.type);
  const std::byte* const row = values.bytes.data() + id * values.width * bytes;
  for (std::size_t at = columns.begin * bytes; at < columns.end * bytes; at += cache_line_bytes)
    __builtin_prefetch(row + at, read, second_level);
}

// A function of its own, because only of parameters do compilers believe that nothing else points there.
template <class T>
void convert(const T* __restrict from, std::size_t count, float scale, float* __restrict to) {
  for (std::size_t i = 0; i < count; ++i) to[i] = scale * static_cast<float>(from[i]);
}

}  // namespace

Range share(std::size_t total, std::size_t index, std::size_t count) {
  assert(index < count);
  const std::size_t base = total / count;
  const std::size_t larger = total % count;
  const std::size_t begin = index * base + std::min(index, larger);
  return {begin, begin + base + (index < larger ? 1 : 0)};
}

BatchPlan::BatchPlan(std::size_t samples, std::size_t batch_size, Division division, std::size_t index,
                     std::size_t count, std::uint32_t seed, std::size_t parts)
    : batch_size_(batch_size),
      division_(division),
      index_(index),
      count_(count),
      parts_(parts == 0 ? count : parts),
      seed_(seed),
      steps_(divide_up(division == Division::batches ? samples : divide_up(samples, count), batch_size)),
      order_(samples) {
  assert(batch_size > 0 && index < count && parts_ % count == 0);
}

void BatchPlan::start_epoch(std::uint32_t epoch) {
  const Working working([&] {
    const double bytes = 2.0 * sizeof(std::uint32_t) * static_cast<double>(order_.size());
    return Work{.kernel = "shuffle", .count = order_.size(), .cost = {.bytes = bytes}};
  });
  if (working) shuffled_order(seed_, epoch, order_);
}

Range BatchPlan::worker_range(std::size_t step, std::size_t worker) const {
  const std::size_t at = step * batch_size_;
  if (division_ == Division::batches) {
    const std::size_t size = size_of(step), each = parts_ / count_;
    return {at + share(size, worker * each, parts_).begin,
            at + share(size, (worker + 1) * each - 1, parts_).end};
  }
  const Range own = share(order_.size(), worker, count_);
  return {std::min(own.begin + at, own.end), std::min(own.begin + at + batch_size_, own.end)};
}

// Of a divided batch.
std::size_t BatchPlan::size_of(std::size_t step) const {
  return std::min(batch_size_, order_.size() - step * batch_size_);
}

std::span<const std::uint32_t> BatchPlan::part(std::size_t step, std::size_t part) const {
  assert(division_ == Division::batches);
  const Range range = share(size_of(step), part, parts_);
  return std::span(order_).subspan(step * batch_size_ + range.begin, range.size());
}

Batch BatchPlan::batch(std::size_t step) const {
  assert(step < steps_);
  const Range mine = worker_range(step, index_);
  const std::size_t gradient_samples = division_ == Division::batches ? size_of(step) : mine.size();
  return {.sample_ids = std::span(order_).subspan(mine.begin, mine.size()),
          .gradient_samples = gradient_samples,
          .largest = worker_range(step, 0).size()};
}

std::size_t BatchPlan::largest_batch() const {
  return worker_range(0, 0).size();  // no worker has more than worker 0, and no step more than the first
}

Work gather_work(const Samples& samples, std::size_t rows, Range columns) {
  const Values& inputs = samples.inputs;
  const auto values = static_cast<double>(rows * columns.size());
  return {
      .kernel = fmt::format("gather {} {}", name_of(inputs.type), inputs.width),
      .count = rows,
      .cost = {.flop = values, .bytes = values * static_cast<double>(bytes_of(inputs.type) + sizeof(float))},
      .share = static_cast<double>(columns.size()) / static_cast<double>(inputs.width)};
}

void gather(const Samples& samples, std::span<const std::uint32_t> ids, math::Matrix inputs,
            std::span<std::int32_t> targets) {
  gather_columns(samples, ids, {0, samples.inputs.width}, inputs);
  gather_targets(samples, ids, targets);
}

void gather_targets(const Samples& samples, std::span<const std::uint32_t> ids,
                    std::span<std::int32_t> targets) {
  const std::size_t width = samples.targets.width;
  assert(targets.size() >= ids.size() * width);
  with_type(samples.targets.type, [&](auto zero) {
    using T = decltype(zero);
    const auto from = values_of<T>(samples.targets.bytes);
    for (std::size_t i = 0; i < ids.size(); ++i)
      for (std::size_t j = 0; j < width; ++j)
        targets[i * width + j] = static_cast<std::int32_t>(from[ids[i] * width + j]);
  });
}

void gather_columns(const Samples& samples, std::span<const std::uint32_t> ids, Range columns,
                    math::Matrix inputs) {
  const std::size_t width = samples.inputs.width;
  assert(inputs.rows == ids.size() && inputs.cols == width && columns.end <= width);
  constexpr std::size_t ahead = 4;  // of large batches prefetch() has asked too long ago
  with_type(samples.inputs.type, [&](auto zero) {
    using T = decltype(zero);
    const T* const all = values_of<T>(samples.inputs.bytes).data();
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (i + ahead < ids.size()) ask_for(samples.inputs, ids[i + ahead], columns);
      convert(all + ids[i] * width + columns.begin, columns.size(), samples.scale,
              inputs.data + i * inputs.stride + columns.begin);
    }
  });
}

void prefetch(const Samples& samples, std::span<const std::uint32_t> ids, Range columns) {
  for (const std::uint32_t id : ids) ask_for(samples.inputs, id, columns);
}

}  // namespace lockstep::data
