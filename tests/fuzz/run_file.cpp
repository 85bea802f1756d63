// SPDX-License-Identifier: BSD-3-Clause
// A run file, edited as support/hdf5_edits.hpp says.
#include "record/run_file.hpp"

#include "core/json.hpp"
#include "record/file_checksum.hpp"
#include "support/fuzz.hpp"
#include "support/hdf5_edits.hpp"
#include "train/run_config.hpp"

namespace {

using namespace lockstep;

record::RunRecord record_of_two_epochs() {
  record::RunRecord record;
  record.run_id = "param_avg-1";
  record.status = "complete";
  record.started = record.finished = "2025-01-31T12:34:56Z";
  record.config = {{"algorithm", "param_avg"}, {"epochs", 2}};
  record.model = {{"loss", "mse"}};
  record.provenance = {
      {"ranks", 2}, {"hosts", {"a", "b"}}, {"load", 0.5}, {"git_dirty", true}, {"node", {{"cores", 2}}}};
  record.series = {
      {.group = "epochs", .name = "train_clock_s", .unit = "s", .description = "Time.", .values = {1, 2}},
      {.group = "epochs",
       .name = "train_s",
       .unit = "s",
       .description = "Time.",
       .ranks = 2,
       .values = {1, 2, 3, 4}},
      {.group = "exchange", .name = "drift", .unit = "1", .description = "Distance.", .values = {1, 2}}};
  record.segments = {{.started = "2025-01-31T12:34:56Z", .finished = {}, .job = "17", .hosts = "a,b"}};
  return record;
}

std::vector<std::byte> run_file() {
  std::vector<std::byte> bytes = record::run_file_bytes(record_of_two_epochs(), "writer");
  bytes.resize(bytes.size() - record::checksum_length);
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<std::byte> whole = run_file();
  const std::vector<std::byte> bytes = fuzz::edited(whole, fuzz::text_of(data, size));
  fuzz::expect_errors_only_if_edited(size, [&] {
    record::RunRecord record = record::read_run_file_bytes(bytes, "edited");
    fuzz::expect_errors_only([&] { (void)train::resolve_config(record.config); });
    // As a resumed run begins: with the epochs before the checkpoint, written again. That takes longest, so
    // not of every input.
    record.truncate(1);
    (void)record.train_clock_s();
    constexpr std::size_t written_of = 8;
    if (size % written_of == 0) (void)record::run_file_bytes(record);
  });
  return 0;
}
