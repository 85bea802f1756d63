// SPDX-License-Identifier: BSD-3-Clause
// Train's configuration, as `--config FILE.json` has it.
#include "core/json.hpp"
#include "core/json_text.hpp"
#include "support/fuzz.hpp"
#include "train/run_config.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  fuzz::expect_errors_only([&] {
    const Json given = parse_json(fuzz::text_of(data, size));
    if (!given.is_object()) return;  // read_config refuses it
    train::ResolvedConfig config = train::resolve_config(given);
    // The run file keeps these: they must mean the same run.
    fuzz::require(train::resolve_config(config.values).values == config.values,
                  "resolved values stay as they are");
    for (const std::size_t ranks : {1U, 2U, 3U})
      fuzz::expect_errors_only([&] { train::check_algorithm(config, ranks); });
    config.run.init_from.clear();  // the target `model_file` reads one
    (void)train::check_parts(config,
                             {.shape = {1, 28, 28}, .classes = 10, .train_count = 100, .test_count = 10});
  });
  return 0;
}
