// SPDX-License-Identifier: BSD-3-Clause
// Which programs there are.
#include "simulate/ranks_program.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "core/error.hpp"
#include "core/names.hpp"
#include "core/text.hpp"
#include "simulate/calibrate_program.hpp"
#include "train/program.hpp"

namespace lockstep::simulate {
namespace {

constexpr const char* calibrate = "calibrate";
const std::vector<std::string> names = {"train",     "serial",      "parallel_sgd",
                                        "param_avg", "w_param_avg", calibrate};

}  // namespace

RanksProgram::RanksProgram(std::vector<std::string> words) : words_(std::move(words)) {
  if (words_.empty()) throw ConfigError({.what = "no program to run", .expected = join(names)});
  name_ = std::filesystem::path(words_.front()).filename();
  if (std::ranges::find(names, name_) == names.end()) throw unknown_name("program", name_, names);
}

int RanksProgram::run() const {
  std::vector<std::string> copy = words_;  // MPI_Init may change them
  std::vector<char*> words;
  for (std::string& word : copy) words.push_back(word.data());
  words.push_back(nullptr);
  const int count = static_cast<int>(copy.size());
  if (name_ == calibrate) return run_calibrate(count, words.data());
  return train::run_program(name_ == "train" ? "" : name_, count, words.data());
}

}  // namespace lockstep::simulate
