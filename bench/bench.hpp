// SPDX-License-Identifier: BSD-3-Clause
// What benchmarks have in common: medians, and a context that tells where the numbers come from.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "comm/communicator.hpp"
#include "core/build_info.hpp"
#include "core/json.hpp"
#include "math/gemm.hpp"
#include "record/binding.hpp"
#include "record/provenance.hpp"

namespace lockstep::bench {

inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Puts build, host, environment, MPI, BLAS and binding into the JSON that Google Benchmark writes.
inline void add_context() {
  const auto add = [](const Json& values) {
    for (const auto& [key, value] : values.items())
      benchmark::AddCustomContext(key, value.is_string() ? value.get<std::string>() : value.dump());
  };
  add(record::build_provenance());
  add(record::host_provenance());
  benchmark::AddCustomContext("environment", record::environment_provenance().dump());
  benchmark::AddCustomContext("mpi_library", comm::mpi_library());
  benchmark::AddCustomContext("binding", record::binding());
  benchmark::AddCustomContext("blas_library", std::string(math::blas_description()));
}

/// What ranks other than 0 print: nothing.
class Silence final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override {}
};

// Rank 0 alone writes the file that --benchmark_out names. Returns the new argc.
inline int drop_output_file(int argc, char** argv) {
  unsetenv("BENCHMARK_OUT");
  int kept = 0;
  for (int k = 0; k < argc; ++k)
    if (std::strncmp(argv[k], "--benchmark_out=", 16) != 0) argv[kept++] = argv[k];
  return kept;
}

/// Collective.
inline void run_on_all(const comm::Communicator& ranks) {
  Silence silence;
  if (ranks.is_root())
    benchmark::RunSpecifiedBenchmarks();
  else
    benchmark::RunSpecifiedBenchmarks(&silence);
}

}  // namespace lockstep::bench
