// SPDX-License-Identifier: BSD-3-Clause
// A trained model's file, as `--init-from` takes it, edited as support/hdf5_edits.hpp says.
#include "record/model_file.hpp"

#include "support/fuzz.hpp"
#include "support/hdf5_edits.hpp"

namespace {

using namespace lockstep;

void write_model(const std::string& path) {
  record::write_model_file({.description = {{"loss", "mse"}},
                            .provenance = {{"run_id", "a"}},
                            .tensors = {{"linear1/weight", {2, 3}, false, {1, 2, 3, 4, 5, 6}},
                                        {"linear1/bias", {3}, false, {1, 2, 3}},
                                        {"batch_norm2/running_mean", {3}, true, {1, 2, 3}}}},
                           path);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<std::byte> whole = fuzz::bytes_written_by(write_model);
  static const fuzz::File file;
  file.fill(fuzz::edited(whole, fuzz::text_of(data, size)));
  fuzz::expect_errors_only_if_edited(size, [&] { (void)record::read_model_file(file.path()); });
  return 0;
}
