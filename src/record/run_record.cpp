// SPDX-License-Identifier: BSD-3-Clause
// Growing and shortening a record's series.
#include "record/run_record.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/json_text.hpp"
#include "core/sha256.hpp"

namespace lockstep::record {

void Series::append(std::span<const double> epoch_values) {
  // Checked in every build: one value too few would shift all later epochs and still look like numbers.
  const std::size_t expected = std::max<std::size_t>(ranks, 1);
  if (epoch_values.size() != expected)
    throw Error({.what = fmt::format("cannot append an epoch to the series {}/{}", group, name),
                 .expected = fmt::format("{} value{}", expected, expected == 1 ? "" : "s"),
                 .got = std::to_string(epoch_values.size())});
  values.insert(values.end(), epoch_values.begin(), epoch_values.end());
}

std::vector<std::string> RunRecord::epoch_checksums() const {
  constexpr std::size_t kept_length = 16;  // enough against accidents
  std::string run =
      run_id + '\n' + nlohmann::json(config).dump(-1, ' ', false, Json::error_handler_t::replace);
  if (provenance.contains("ranks")) run += '\n' + to_text(provenance.at("ranks"));
  for (const Series& one : series) run += fmt::format("\n{}/{} {}", one.group, one.name, one.ranks);
  std::vector<std::string> checksums;
  for (std::size_t epoch = 0; epoch < epochs(); ++epoch) {
    Sha256 checksum;
    checksum.add(std::as_bytes(std::span(run)));
    for (const Series& one : series) {
      const std::size_t width = std::max<std::size_t>(one.ranks, 1);
      if ((epoch + 1) * width <= one.values.size())
        checksum.add(std::as_bytes(std::span(one.values).subspan(epoch * width, width)));
    }
    checksums.push_back(checksum.hex().substr(0, kept_length));
  }
  return checksums;
}

std::size_t RunRecord::epochs() const {
  return series.empty() ? 0 : series.front().values.size() / std::max<std::size_t>(series.front().ranks, 1);
}

double RunRecord::train_clock_s() const {
  const auto clock = std::ranges::find(series, "train_clock_s", &Series::name);
  return clock == series.end() || clock->values.empty() ? 0.0 : clock->values.back();
}

void RunRecord::truncate(std::size_t epochs) {
  for (Series& one : series)
    one.values.resize(std::min(one.values.size(), epochs * std::max<std::size_t>(one.ranks, 1)));
}

}  // namespace lockstep::record
