// SPDX-License-Identifier: BSD-3-Clause
// The factories of all layers, for the table.
#pragma once

#include "nn/layer.hpp"

namespace lockstep::nn {

using LayerFactory = std::unique_ptr<Layer>(const LayerSetup& setup, const Json& description);

LayerFactory make_linear, make_conv2d, make_max_pool2d, make_global_avg_pool2d, make_flatten;
LayerFactory make_add, make_batch_norm;
LayerFactory make_relu, make_leaky_relu, make_sigmoid, make_tanh, make_softmax;
LayerFactory make_dropout, make_gaussian_dropout;

}  // namespace lockstep::nn
