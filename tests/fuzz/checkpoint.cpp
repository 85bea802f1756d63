// SPDX-License-Identifier: BSD-3-Clause
// A checkpoint, edited as support/hdf5_edits.hpp says, and read as a run that resumes reads it.
#include "record/checkpoint.hpp"

#include <array>

#include "record/run_file.hpp"
#include "support/fuzz.hpp"
#include "support/hdf5_edits.hpp"

namespace {

using namespace lockstep;

void write_checkpoint(const std::string& path) {
  record::RunRecord run;
  run.run_id = "a";
  const record::CheckpointContents contents{.about = {{"run_id", "a"}, {"epochs_done", 1}},
                                            .numbers = {{"steps", {1, 2}}},
                                            .arrays = {{"parameters", {6}}, {"velocity", {2, 3}}},
                                            .run_file = record::run_file_bytes(run)};
  record::CheckpointWriter writer(path, contents);
  const std::array<float, 6> values{1, 2, 3, 4, 5, 6};
  writer.write(values);
  writer.write(values);
  writer.finish(path + ".previous");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<std::byte> whole = fuzz::bytes_written_by(write_checkpoint);
  static const fuzz::File file;
  file.fill(fuzz::edited(whole, fuzz::text_of(data, size)));
  fuzz::expect_errors_only_if_edited(size, [&] {
    const record::CheckpointReader checkpoint(file.path());
    if (!checkpoint.contents().run_file.empty())
      fuzz::expect_errors_only(
          [&] { (void)record::read_run_file_bytes(checkpoint.contents().run_file, "copy"); });
    for (const auto& array : checkpoint.contents().arrays) {
      std::array<float, 3> values{};
      for (const std::size_t begin : {0U, 3U})
        fuzz::expect_errors_only([&] { checkpoint.read(array.name, begin, values); });
    }
  });
  return 0;
}
