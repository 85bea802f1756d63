// SPDX-License-Identifier: BSD-3-Clause
// Every row of the allreduce table, from 4 bytes to 64 MiB, on as many ranks as mpiexec starts.
//
// The rows take turns within each round of a size, so that whatever disturbs the machine disturbs all of
// them, and "over_mpi" compares the rows of one round. A time is that of the slowest rank; what is reported
// is the median over the rounds. Arrays are written anew before each timed part, as a backward pass does, and
// every result is checked after it. How often a size is measured follows from the size alone: ranks that
// decided by the clock would decide differently, and wait for each other for ever.
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bench.hpp"
#include "comm/allreduce.hpp"
#include "core/aligned.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "nn/model.hpp"

namespace lockstep::bench {
namespace {

constexpr std::size_t longest = std::size_t{1} << 24;  // floats: 64 MiB

/// A row of the table, made for arrays up to the longest, or why it cannot be.
struct Candidate {
  std::string name;
  std::unique_ptr<comm::Allreduce> allreduce;
  std::string refusal;
};

// In the table's order. Collective.
std::vector<Candidate> make_candidates(const comm::Communicator& ranks) {
  std::vector<Candidate> candidates;
  for (const comm::AllreduceRow& row : comm::allreduce_table()) {
    Candidate& made = candidates.emplace_back(Candidate{std::string(row.name), nullptr, {}});
    try {
      made.allreduce = row.make(ranks, longest);
    } catch (const ConfigError& error) {  // all ranks alike: a row that needs a single node
      made.refusal = error.what();
      made.refusal.resize(std::min(made.refusal.find('\n'), made.refusal.size()));
    }
  }
  return candidates;
}

// How often a length is measured. Calls too short for the clock are timed in batches, each on an array of its
// own, all of them written before.
std::size_t rounds_for(std::size_t length) {
  if (length <= std::size_t{1} << 14) return 151;
  if (length <= std::size_t{1} << 18) return 101;
  return length <= std::size_t{1} << 20 ? 51 : length <= std::size_t{1} << 22 ? 25 : 11;
}
std::size_t batch_for(std::size_t length) { return std::clamp<std::size_t>(8192 / length, 1, 64); }

/// The arrays of a batch, written with small whole numbers whose sums are exact in any order.
class Batch {
 public:
  Batch(const comm::Communicator& ranks, std::size_t length)
      : length_(length),
        stride_((length + line_floats - 1) / line_floats * line_floats),
        size_(batch_for(length)),
        mine_(weight(ranks.rank())),
        values_(size_ * stride_) {
    for (std::size_t r = 0; r < ranks.size(); ++r) all_ += weight(r);
  }

  void write(std::size_t round) {
    for (std::size_t k = 0; k < size_; ++k)
      for (std::size_t i = 0; i < length_; ++i) array(k)[i] = mine_ * pattern(i + k + round);
  }
  void sum(comm::Allreduce& allreduce) {
    for (std::size_t k = 0; k < size_; ++k) allreduce.sum(array(k));
  }
  [[nodiscard]] bool is_summed(std::size_t round) {
    std::size_t wrong = 0;
    for (std::size_t k = 0; k < size_; ++k)
      for (std::size_t i = 0; i < length_; ++i) wrong += array(k)[i] != all_ * pattern(i + k + round);
    return wrong == 0;
  }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t line_floats = cache_line_bytes / sizeof(float);
  static float weight(std::size_t rank) { return static_cast<float>(rank % 8 + 1); }
  static float pattern(std::size_t index) {
    return static_cast<float>(static_cast<std::uint32_t>(index) % 251) - 125.0F;
  }
  [[nodiscard]] std::span<float> array(std::size_t k) {
    return std::span(values_).subspan(k * stride_, length_);
  }

  std::size_t length_, stride_, size_;
  float mine_, all_ = 0.0F;
  AlignedVector<float> values_;
};

/// All rows at one length.
struct Measurement {
  std::vector<std::vector<double>> time_s;  // [row][round], of the slowest rank, one call
  std::vector<std::vector<double>> over_mpi;
  std::vector<double> wrong;   // [row], rounds with a wrong result on some rank
  std::vector<bool> is_fresh;  // [row], not reported yet
};

// Collective.
Measurement measure(const comm::Communicator& ranks, std::vector<Candidate>& candidates, std::size_t length) {
  const std::size_t rows = candidates.size();
  const std::size_t rounds = rounds_for(length);
  Batch batch(ranks, length);
  Measurement m{.time_s = std::vector(rows, std::vector<double>(rounds)),
                .over_mpi = std::vector(rows, std::vector<double>(rounds)),
                .wrong = std::vector<double>(rows),
                .is_fresh = std::vector<bool>(rows, true)};
  for (std::size_t round = 0; round <= rounds; ++round)  // round 0 is to warm up
    for (std::size_t turn = 0; turn < rows; ++turn) {
      const std::size_t row = (turn + round) % rows;  // nobody always follows the same one
      if (!candidates[row].allreduce) continue;
      batch.write(round);
      ranks.barrier();
      const double start_s = now_s();
      batch.sum(*candidates[row].allreduce);
      const double time_s = (now_s() - start_s) / static_cast<double>(batch.size());
      if (round > 0) m.time_s[row][round - 1] = time_s;
      m.wrong[row] += batch.is_summed(round) ? 0.0 : 1.0;
    }
  for (std::vector<double>& times : m.time_s) ranks.max(times);
  ranks.max(m.wrong);
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t round = 0; round < rounds; ++round)
      m.over_mpi[row][round] = m.time_s[row][round] / m.time_s[0][round];
  return m;
}

/// The measurements of a run; a length is measured, all rows at once, when the first row asks for it, and
/// again when a row asks once more (repetitions).
class Measurements {
 public:
  explicit Measurements(const comm::Communicator& ranks)
      : ranks_(ranks), candidates_(make_candidates(ranks)) {}

  [[nodiscard]] const std::vector<Candidate>& candidates() const { return candidates_; }

  void report(benchmark::State& state, std::size_t row) {
    const Candidate& candidate = candidates_[row];
    if (!candidate.allreduce) return state.SkipWithError(("skipped: " + candidate.refusal).c_str());
    const auto bytes = static_cast<std::size_t>(state.range(0));
    const std::size_t length = bytes / sizeof(float);
    auto found = by_length_.find(length);
    if (found == by_length_.end() || !found->second.is_fresh[row])
      found = by_length_.insert_or_assign(length, measure(ranks_, candidates_, length)).first;
    Measurement& m = found->second;
    m.is_fresh[row] = false;

    const double time_s = median(m.time_s[row]);
    for (auto _ : state) state.SetIterationTime(time_s);
    if (m.wrong[row] > 0) return state.SkipWithError("the sum is wrong");
    count(state, *candidate.allreduce, length, time_s);
    state.counters["over_mpi"] = median(m.over_mpi[row]);
  }

 private:
  // Algorithm and bus bandwidth as NCCL's tests define them: bytes of the array over time, and that times
  // 2(P-1)/P, what a link carries at the least. Collective.
  void count(benchmark::State& state, const comm::Allreduce& allreduce, std::size_t length, double time_s) {
    const auto bytes = static_cast<double>(length * sizeof(float));
    const auto size = static_cast<double>(ranks_.size());
    const double least_bytes = 2.0 * (size - 1.0) / size * bytes;
    std::vector<double> sent = {static_cast<double>(allreduce.sent_bytes(length))};
    ranks_.sum(sent);
    state.counters["GB/s"] = bytes / time_s * 1e-9;
    state.counters["bus_GB/s"] = least_bytes / time_s * 1e-9;
    state.counters["sent_B"] = sent[0] / size;
    if (least_bytes > 0.0) state.counters["sent_over_bound"] = sent[0] / size / least_bytes;
  }

  const comm::Communicator& ranks_;
  std::vector<Candidate> candidates_;
  std::map<std::size_t, Measurement> by_length_;
};

// Powers of 4, and the gradients of the models. In bytes.
std::vector<std::size_t> sizes() {
  std::vector<std::size_t> all;
  for (std::size_t length = 1; length <= longest; length *= 4) all.push_back(length * sizeof(float));
  const auto gemm = math::make_gemm("eigen");
  for (const char* name : {"model_a", "model_a_large"}) {
    const nn::Model model(
        nn::describe_model(name),
        {.input = {1, 28, 28}, .classes = 10, .seed = 1, .max_batch = 1, .gemm = gemm.get()});
    all.push_back(model.parameter_count() * sizeof(float));
  }
  std::sort(all.begin(), all.end());
  return all;
}

void register_all(Measurements& measurements) {
  for (const std::size_t bytes : sizes())
    for (std::size_t row = 0; row < measurements.candidates().size(); ++row)
      benchmark::RegisterBenchmark(
          ("allreduce/" + measurements.candidates()[row].name).c_str(),
          [&measurements, row](benchmark::State& state) { measurements.report(state, row); })
          ->ArgName("bytes")
          ->Arg(static_cast<std::int64_t>(bytes))
          ->UseManualTime()
          ->Iterations(static_cast<std::int64_t>(rounds_for(bytes / sizeof(float))))
          ->Unit(benchmark::kMicrosecond);
}

}  // namespace
}  // namespace lockstep::bench

int main(int argc, char** argv) {
  using namespace lockstep;
  const comm::MpiSession session(argc, argv);
  const comm::Communicator ranks = comm::Communicator::world();
  if (!ranks.is_root()) argc = bench::drop_output_file(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  bench::Measurements measurements(ranks);
  bench::add_context();
  benchmark::AddCustomContext("ranks", std::to_string(ranks.size()));
  for (const bench::Candidate& candidate : measurements.candidates())
    if (candidate.allreduce && !candidate.allreduce->choices().empty())
      benchmark::AddCustomContext("allreduce_choice", comm::to_text(candidate.allreduce->choices()));
  bench::register_all(measurements);
  bench::run_on_all(ranks);
}
