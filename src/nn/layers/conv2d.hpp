// SPDX-License-Identifier: BSD-3-Clause
// What the two ways to convolve have in common.
#pragma once

#include <span>
#include <string>

#include "nn/layers/layers.hpp"

namespace lockstep::nn {

struct Conv2dOptions {
  std::size_t channels = 0, kernel = 0, stride = 1, padding = 0;
  std::string init = "xavier";
};

/// out[c, y, x] = b[c] + sum over (d, u, v) of W[c, d, u, v] in[d, stride y + u - padding, stride x + v -
/// padding], zero outside the image. H_out = (H + 2 padding - K) / stride + 1, and W_out likewise.
/// Parameters: W [C_out, C_in K K], then b, which starts at zero.
class Conv2d : public Layer {
 public:
  void bind(std::span<float> parameters) final;
  void initialize() final;
  void list_gemms(std::size_t batch, bool needs_d_in, std::vector<math::GemmShape>& to) const final;

 protected:
  Conv2d(const LayerSetup& setup, SampleShape out, Conv2dOptions options)
      : Layer(
            setup.in, out,
            {.parameters = {{"weight", {options.channels, setup.in.channels, options.kernel, options.kernel}},
                            {"bias", {options.channels}}}}),
        setup_(setup),
        options_(std::move(options)) {}

  [[nodiscard]] double flop(Pass /*pass*/) const final {
    return 2.0 * static_cast<double>(channels() * depth() * positions());
  }
  [[nodiscard]] const Conv2dOptions& options() const { return options_; }
  [[nodiscard]] const math::Gemm& gemm() const { return *setup_.gemm; }
  [[nodiscard]] std::size_t channels() const { return options_.channels; }
  [[nodiscard]] std::size_t positions() const { return out().height * out().width; }
  [[nodiscard]] std::size_t depth() const { return in().channels * options_.kernel * options_.kernel; }
  [[nodiscard]] Matrix weights() const { return weights_; }
  [[nodiscard]] std::span<const float> bias() const { return bias_; }

 private:
  LayerSetup setup_;
  Conv2dOptions options_;
  Matrix weights_;
  std::span<float> bias_;
};

/// For any stride: each sample's image becomes a matrix of columns, and convolving is a GEMM (im2col:
/// Chellapilla et al. 2006).
[[nodiscard]] std::unique_ptr<Layer> make_im2col_conv2d(const LayerSetup& setup, SampleShape out,
                                                        const Conv2dOptions& options);
/// For stride 1: the columns are views of the padded image, and are never written.
[[nodiscard]] std::unique_ptr<Layer> make_implicit_gemm_conv2d(const LayerSetup& setup, SampleShape out,
                                                               const Conv2dOptions& options);

}  // namespace lockstep::nn
