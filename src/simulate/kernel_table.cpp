// SPDX-License-Identifier: BSD-3-Clause
// Reading a kernel table, and looking times up.
#include "simulate/kernel_table.hpp"

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/home.hpp"
#include "core/json.hpp"
#include "core/json_text.hpp"
#include "core/options.hpp"
#include "core/sha256.hpp"
#include "simulate/quantities.hpp"

namespace lockstep::simulate {
namespace {

constexpr double smallest_rate = 1e-6, largest_rate = 1e9;  // 1e9 operations or bytes a second

}  // namespace

KernelTable::KernelTable(const std::string& name_or_path) {
  const std::filesystem::path path = find_json_file("kernel table", name_or_path, "jobs/kernels");
  const Json given = read_json_file(path);
  in_context(path.string(), [&] { read(given); });
  about_["name"] = path.stem().string();
}

KernelTable::KernelTable(const Json& given) { read(given); }

void KernelTable::read(const Json& given) {
  if (!given.is_object() || !given.contains("kernels") || !given["kernels"].is_object())
    throw ConfigError({.what = "it holds no kernel table",
                       .expected = R"({"kernels": {"add": [[1024, 1.2e-7], ...], ...}})"});
  about_ = given;
  about_.erase("kernels");
  std::string processor, build;
  std::size_t ranks = 1;
  Options options;
  options.add("processor", &processor, "that the times are of");
  options.add("build", &build, "compiler and flags of the program that measured");
  options.add("ranks", &ranks, "that computed at once while the times were taken").at_least(1);
  options.add("gflops", &gflops_, "of a core, for kernels that are not here: 1e9 operations a second")
      .at_least(0)
      .at_most(largest_rate);
  options.add("gbytes_per_s", &gbytes_per_s_, "of a core's memory, for kernels that are not here")
      .at_least(0)
      .at_most(largest_rate);
  options.set(about_, "key");
  for (const double rate : {gflops_, gbytes_per_s_})
    if (rate > 0 && rate < smallest_rate)
      throw ConfigError({"bad value for gflops or gbytes_per_s",
                         fmt::format("0, or at least {:g}", smallest_rate), fmt::format("{:g}", rate)});
  if ((gflops_ > 0) != (gbytes_per_s_ > 0))
    throw ConfigError({.what = "gflops and gbytes_per_s go together", .expected = "both, or none"});
  const std::string text = to_text(given["kernels"]);
  about_["sha256"] = sha256(std::as_bytes(std::span(text)));
  for (const auto& [kernel, points] : given["kernels"].items()) {
    const auto bad = [&, name = kernel](const Json& got) {
      return ConfigError(
          {.what = "bad times of the kernel '" + name + "'",
           .expected = fmt::format("[[count, seconds], ...], counts of 1 and more that rise, seconds "
                                   "from 0 to {:g}",
                                   longest_s),
           .got = to_text(got)});
    };
    if (!points.is_array() || points.empty()) throw bad(points);
    std::vector<Point>& known = kernels_[kernel];
    for (const Json& point : points) {
      if (!point.is_array() || point.size() != 2 || !point[0].is_number() || !point[1].is_number())
        throw bad(point);
      const Point next{.count = point[0].get<double>(), .seconds = point[1].get<double>()};
      if (!(next.count >= 1.0) || (!known.empty() && !(next.count > known.back().count)) ||
          !(next.seconds >= 0.0 && next.seconds <= longest_s))
        throw bad(point);
      known.push_back(next);
    }
  }
}

double KernelTable::seconds_of(const Work& work) const {
  if (work.count == 0) return 0.0;
  const auto found = kernels_.find(work.kernel);
  if (found == kernels_.end()) return estimate(work);
  const std::vector<Point>& points = found->second;
  const auto count = static_cast<double>(work.count);
  const auto above = std::ranges::lower_bound(points, count, {}, &Point::count);
  if (above == points.end()) return work.share * points.back().seconds * (count / points.back().count);
  const Point low = above == points.begin() ? Point{} : *(above - 1);
  const double way = (count - low.count) / (above->count - low.count);
  return work.share * (low.seconds + way * (above->seconds - low.seconds));
}

std::string KernelTable::note() const {
  if (estimated_.empty()) return "";
  return fmt::format(
      "note: {} kernels are not in the table: their time is that of their operations or bytes, e.g. '{}'\n",
      estimated_.size(), *estimated_.begin());
}

double KernelTable::estimate(const Work& work) const {
  if (gflops_ == 0.0)
    throw ConfigError(
        {.what = "the kernel table has no times of '" + work.kernel + "'",
         .expected = "a table that was measured with this model, data set, optimizer and --gemm",
         .hint =
             "build/bin/kernel_table --help; or give the table \"gflops\" and \"gbytes_per_s\" of a core"});
  estimated_.insert(work.kernel);
  return std::max(work.cost.flop / (1e9 * gflops_), work.cost.bytes / (1e9 * gbytes_per_s_));
}

}  // namespace lockstep::simulate
