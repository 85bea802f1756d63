// SPDX-License-Identifier: BSD-3-Clause
// A training step divided by parameters, among ranks that see the activations of each other's samples.
#include <algorithm>
#include <cassert>

#include "core/simd.hpp"
#include "nn/model.hpp"

namespace lockstep::nn {
namespace {

constexpr std::size_t line_floats = cache_line_bytes / sizeof(float);
std::size_t whole_lines(std::size_t floats) { return (floats + line_floats - 1) / line_floats * line_floats; }

}  // namespace

void Model::divide(std::size_t rows, std::size_t ranks) {
  const std::size_t own_rows = (rows + ranks - 1) / ranks;
  for (Stage& stage : stages_) {
    ParameterBlock& block = stage.parameters;
    if (block.count == 0 || !stage.layer->divides()) continue;
    const std::size_t width = (stage.in == 0 ? 0 : buffers_[stage.in].width) + buffers_[stage.out].width;
    block.is_divided = own_rows * width <= block.count;
    // Contributions are written and read; parameters that others have changed are read.
    if (stage.in == 0)
      forward_is_divided_ =
          block.is_divided && ranks > 1 && 2 * rows * buffers_[stage.out].width < block.count;
  }
}

const Model::Stage& Model::first_stage() const {
  return *std::ranges::find_if(stages_, [](const Stage& stage) { return stage.in != stage.out; });
}

std::size_t Model::contribution_width() const {
  return forward_is_divided_ ? buffers_[first_stage().out].width : 0;
}

void Model::contribute(ConstMatrix in, std::size_t first, std::size_t count, Matrix contribution) const {
  const Stage& stage = first_stage();
  const ParameterBlock& block = stage.parameters;
  const std::size_t begin = std::max(first, block.begin);
  const std::size_t end = std::min(first + count, block.begin + block.count);
  stage.layer->contribute(in, begin - block.begin, end - begin, contribution);
}

std::size_t Model::part_begin(std::size_t parameter) const {
  for (const Stage& stage : stages_) {
    const ParameterBlock& block = stage.parameters;
    if (parameter < block.begin + block.count)
      return block.begin + stage.layer->part_begin(parameter - block.begin);
  }
  return parameters_count_;
}

double Model::backpropagate(const Pass& pass, ConstMatrix in, std::span<const std::uint8_t> labels,
                            float gradient_scale, const GradientTarget& target,
                            std::span<const ConstMatrix> contributions) {
  assert(in.rows > 0);
  forward(pass, in, contributions);
  const double loss_sum = differentiate_loss(in.rows, labels, gradient_scale);
  backward(pass, in, false, target, nullptr);
  return loss_sum;
}

template <class Visit>
void Model::for_published(std::span<float> memory, std::size_t rows, Visit visit) const {
  float* at = memory.data();
  const auto take = [&](std::size_t width) {
    const Matrix taken(at, rows, width);
    at += whole_lines(rows * width);
    return taken;
  };
  for (const Stage& stage : stages_) {
    if (!stage.parameters.is_divided) continue;
    Published published;
    if (stage.in != 0) published.in = take(buffers_[stage.in].width);
    published.d_out = take(buffers_[stage.out].width);
    visit(stage, published);
  }
}

std::size_t Model::published_floats(std::size_t rows) const {
  std::size_t floats = 0;
  for_published({}, rows, [&](const Stage&, const Published& published) {
    floats += whole_lines(published.in.size()) + whole_lines(published.d_out.size());
  });
  return floats;
}

void Model::publish(std::span<float> memory, std::size_t rows, std::size_t first_row, std::size_t own,
                    math::Stores stores) const {
  assert(memory.size() >= published_floats(rows) && first_row + own <= rows);
  for_published(memory, rows, [&](const Stage& stage, const Published& to) {
    const auto copy = [&](const AlignedVector<float>& from, const Matrix& all) {
      float* const place = all.data + first_row * all.cols;
      if (stores == math::Stores::streamed)
        simd::stream_copy(from.data(), own * all.cols, place);
      else
        std::copy_n(from.data(), own * all.cols, place);
    };
    if (stage.in != 0) copy(buffers_[stage.in].values, to.in);
    copy(buffers_[stage.out].gradients, to.d_out);
  });
}

void Model::add_divided_gradients(ConstMatrix in, std::span<float> memory, std::size_t rows,
                                  const GradientTarget& target) const {
  assert(in.rows <= rows);
  const auto first = [&](Matrix all) { return ConstMatrix(all.data, in.rows, all.cols); };
  for_published(memory, rows, [&](const Stage& stage, const Published& from) {
    add_gradient(stage, stage.in == 0 ? in : first(from.in), first(from.d_out), target);
  });
}

std::pair<std::size_t, std::size_t> Model::input_columns(std::size_t first, std::size_t count) const {
  std::pair<std::size_t, std::size_t> columns{0, 0};
  for (const Stage& stage : stages_) {
    const ParameterBlock& block = stage.parameters;
    if (stage.in != 0 || !block.is_divided) continue;
    const std::size_t begin = std::max(first, block.begin);
    const std::size_t end = std::min(first + count, block.begin + block.count);
    if (begin < end) columns = stage.layer->input_columns(begin - block.begin, end - begin);
  }
  return columns;
}

}  // namespace lockstep::nn
