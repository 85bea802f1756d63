// SPDX-License-Identifier: BSD-3-Clause
// The description of a model, as `--model FILE.json` has it. The first byte chooses the data set's shape.
#include "nn/model.hpp"

#include <array>

#include "core/json.hpp"
#include "core/json_text.hpp"
#include "math/gemm.hpp"
#include "support/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  static const auto gemm = math::make_gemm("tiled");
  constexpr std::array<SampleShape, 3> shapes = {{{1, 28, 28}, {3, 5, 7}, {16, 1, 1}}};
  if (size == 0) return 0;
  fuzz::expect_errors_only([&] {
    const Json description = parse_json(fuzz::text_of(data + 1, size - 1));
    if (!description.is_object()) return;  // describe_model refuses it
    nn::Model model(nn::describe_model(description), {.input = shapes[data[0] % shapes.size()],
                                                      .classes = 10,
                                                      .seed = 1,
                                                      .max_batch = 2,
                                                      .gemm = gemm.get()});
    fuzz::require(!model.tensors().empty() && !model.gemms(2).empty(),
                  "a model that was accepted has parameters");
  });
  return 0;
}
