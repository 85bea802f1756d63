// SPDX-License-Identifier: BSD-3-Clause
// One training step taken apart: each part beside its floor, in turns. The parts are the objects that
// training uses.
#include <deque>
#include <functional>
#include <numeric>

#include "bench.hpp"
#include "core/aligned.hpp"
#include "core/clock.hpp"
#include "core/json.hpp"
#include "core/random.hpp"
#include "data/batches.hpp"
#include "nn/model.hpp"
#include "nn/optimizer.hpp"

namespace lockstep::bench {
namespace {

using math::ConstMatrix;
using math::Matrix;
using math::Op;

/// Something that a step does, and the least that it could cost: its matrix product alone, or moving its
/// bytes.
struct Part {
  std::string name;
  std::function<void()> run, floor;
};

/// The layers of a model with activations of their own, so that each can be run by itself.
class TakenApart {
 public:
  TakenApart(const std::string& model, std::size_t batch)
      : batch_(batch),
        gemm_(math::make_gemm("tiled")),
        ids_(batch),
        labels_(batch),
        source_(batch * features * 16) {
    std::iota(ids_.begin(), ids_.end(), 0U);
    for (std::size_t i = 0; i < source_.size(); ++i) source_[i] = static_cast<std::uint8_t>(i * 31);
    source_labels_.resize(batch * 16);
    fill(activations_.emplace_back(batch * features));
    add_gather();
    const Json description = nn::describe_model(model);
    SampleShape shape{1, 28, 28};
    std::uint32_t index = 0;
    for (const Json& layer : description["layers"]) {
      layers_.push_back(
          nn::make_layer({.in = shape, .index = index++, .seed = 1, .gemm = gemm_.get()}, layer));
      shape = layers_.back()->out();
      if (!layers_.back()->traits().only_reshapes)
        add_layer(*layers_.back(), layer["type"].get<std::string>());
    }
    add_loss(description["loss"].get<std::string>(), shape.size());
    add_update();
  }
  TakenApart(const TakenApart&) = delete;
  TakenApart& operator=(const TakenApart&) = delete;

  [[nodiscard]] const std::vector<Part>& parts() const { return parts_; }

 private:
  static constexpr std::size_t features = 784;

  // Numbers of which some are larger than others, as in training: branches cannot be foreseen.
  AlignedVector<float>& fill(AlignedVector<float>& values) {
    RandomRows(1, Purpose::synthetic_data).normal(filled_++, 0, 0, values);
    return values;
  }
  AlignedVector<float>& keep(std::size_t size) { return fill(arrays_.emplace_back(size)); }

  std::function<void()> copy_floor(std::size_t floats) {
    const auto* from = &keep(floats);
    auto* to = &keep(floats);
    return [from, to] {
      std::copy(from->begin(), from->end(), to->begin());
      benchmark::ClobberMemory();
    };
  }
  std::function<void()> gemm_floor(const math::GemmShape& s) {
    const float* a = keep(s.m * s.k).data();
    const float* b = keep(s.k * s.n).data();
    float* c = keep(s.m * s.n).data();
    return [this, s, a, b, c] {
      const bool ta = s.op_a == Op::transpose;
      const bool tb = s.op_b == Op::transpose;
      gemm_->multiply(1.0F, {a, ta ? s.k : s.m, ta ? s.m : s.k}, s.op_a, {b, tb ? s.n : s.k, tb ? s.k : s.n},
                      s.op_b, 0.0F, {c, s.m, s.n});
    };
  }

  void add_gather() {
    const data::Samples samples{
        .inputs = {data::ValueType::uint8, features, std::as_bytes(std::span(source_))},
        .targets = {data::ValueType::uint8, 1, std::as_bytes(std::span(source_labels_))},
        .scale = data::unit_scale(data::ValueType::uint8),
        .count = source_labels_.size()};
    parts_.push_back({"gather",
                      [this, samples] {
                        data::gather(samples, ids_, {activations_[0].data(), batch_, features}, labels_);
                      },
                      copy_floor(batch_ * features)});
  }

  void add_layer(nn::Layer& layer, const std::string& type) {
    const std::string name = std::to_string(parts_.size()) + "_" + type;
    const std::size_t n_in = layer.in().size();
    const std::size_t n_out = layer.out().size();
    auto& parameters = keep(layer.parameter_count());
    auto& gradients = keep(layer.parameter_count());
    layer.bind(parameters);
    layer.initialize();
    layer.reserve(batch_);
    parameter_count_ += parameters.size();
    float* const in = activations_.back().data();
    float* const out = fill(activations_.emplace_back(batch_ * n_out)).data();
    float* const d_out = keep(batch_ * n_out).data();
    float* const d_in = keep(batch_ * n_in).data();
    const nn::ForwardContext pass{.training = true, .epoch = 0, .sample_ids = ids_};

    if (auto* elementwise = dynamic_cast<nn::ElementwiseLayer*>(&layer)) {
      // As a model does it: in place, row by row; the derivatives of all such layers of a stage in one array.
      float* const derivatives = keep(batch_ * n_out).data();
      parts_.push_back(
          {name + ".apply",
           [=, this] {
             std::copy_n(in, batch_ * n_in, out);  // repeated factors would end in 0 or infinity
             std::fill_n(derivatives, batch_ * n_out, 1.0F);
             for (std::size_t i = 0; i < batch_; ++i)
               elementwise->apply(pass, i, {out + i * n_out, n_out}, {derivatives + i * n_out, n_out});
           },
           copy_floor(2 * batch_ * n_out)});
      return;
    }
    std::vector<math::GemmShape> gemms;
    layer.list_gemms(batch_, true, gemms);
    // Forward, gradient, input gradient: once for a fully connected layer, for each sample of a convolution.
    const std::size_t repeats = gemms.empty() ? 0 : gemms.size() / 3;
    const auto floor_of = [&](std::size_t which, std::size_t floats) -> std::function<void()> {
      if (repeats == 0) return copy_floor(floats);
      return [product = gemm_floor(gemms[which]), repeats] {
        for (std::size_t i = 0; i < repeats; ++i) product();
      };
    };
    const auto* const layer_in = in;
    parts_.push_back({name + ".forward",
                      [=, this, &layer] {
                        layer.forward(pass, {layer_in, batch_, n_in}, {out, batch_, n_out});
                      },
                      floor_of(0, batch_ * n_out)});
    if (parts_.size() > 2)  // the first layer's input has no gradient
      parts_.push_back({name + ".backward",
                        [=, this, &layer] {
                          layer.backward(pass, {layer_in, batch_, n_in}, {out, batch_, n_out},
                                         {d_out, batch_, n_out}, {d_in, batch_, n_in});
                        },
                        floor_of(2, batch_ * n_in)});
    if (!parameters.empty())
      parts_.push_back({name + ".gradient",
                        [=, this, &layer, &gradients] {
                          layer.add_gradient({layer_in, batch_, n_in}, {d_out, batch_, n_out},
                                             {.first = 0, .values = gradients});
                        },
                        floor_of(1, gradients.size())});
  }

  void add_loss(const std::string& loss_name, std::size_t classes) {
    nn::LossFunction* loss = nullptr;
    for (const nn::LossRow& row : nn::loss_table())
      if (row.name == loss_name) loss = row.evaluate;
    const float* const out = activations_.back().data();
    float* const d_out = keep(batch_ * classes).data();
    parts_.push_back(
        {"loss",
         [=, this] {
           benchmark::DoNotOptimize(loss({out, batch_, classes}, labels_, 1.0F, {d_out, batch_, classes}));
         },
         copy_floor(batch_ * classes)});
  }

  void add_update() {
    auto& parameters = keep(parameter_count_);
    auto& gradients = keep(parameter_count_);
    optimizer_ = nn::make_optimizer({});
    parts_.push_back(
        {"update.sgd",
         [this, &parameters, &gradients] { optimizer_->update(0, parameters, gradients, 1e-9F); },
         copy_floor(parameter_count_)});
  }

  std::size_t batch_;
  std::unique_ptr<math::Gemm> gemm_;
  std::vector<std::uint32_t> ids_;
  std::vector<std::int32_t> labels_;
  std::vector<std::uint8_t> source_, source_labels_;
  std::vector<std::unique_ptr<nn::Layer>> layers_;
  std::unique_ptr<nn::Optimizer> optimizer_;
  std::size_t parameter_count_ = 0;
  std::uint32_t filled_ = 0;
  std::deque<AlignedVector<float>> activations_, arrays_;  // deques: references stay valid
  std::vector<Part> parts_;
};

double seconds_of(const std::function<void()>& work, std::size_t times) {
  const double start = now_s();
  for (std::size_t i = 0; i < times; ++i) work();
  return (now_s() - start) / static_cast<double>(times);
}

void run(benchmark::State& state, const Part& part) {
  const std::size_t times =
      std::max<std::size_t>(1, static_cast<std::size_t>(200e-6 / seconds_of(part.run, 2)));
  std::vector<double> part_s, floor_s, ratio;
  for (auto _ : state) {
    part_s.push_back(seconds_of(part.run, times));
    floor_s.push_back(seconds_of(part.floor, times));
    ratio.push_back(part_s.back() / floor_s.back());
    state.SetIterationTime(part_s.back());
  }
  state.counters["floor_us"] = median(floor_s) * 1e6;
  state.counters["over_floor"] = median(ratio);
}

void register_all(std::deque<TakenApart>& all) {
  for (const auto& [model, batch] :
       {std::pair("model_a", 64U), {"model_a", 512U}, {"model_a_large", 64U}, {"lenet5", 64U}}) {
    const TakenApart& taken = all.emplace_back(model, batch);
    for (const Part& part : taken.parts())
      benchmark::RegisterBenchmark(
          (std::string("step/") + model + "/" + std::to_string(batch) + "/" + part.name).c_str(),
          [&part](benchmark::State& state) { run(state, part); })
          ->UseManualTime()
          ->Iterations(50)
          ->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace
}  // namespace lockstep::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  lockstep::bench::add_context();
  std::deque<lockstep::bench::TakenApart> all;
  lockstep::bench::register_all(all);
  benchmark::RunSpecifiedBenchmarks();
}
