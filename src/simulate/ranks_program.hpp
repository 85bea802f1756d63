// SPDX-License-Identifier: BSD-3-Clause
// The program that ranks run, given as the last words of another program's command line.
#pragma once

#include <string>
#include <vector>

namespace lockstep::simulate {

/// One of the training programs of src/train/programs, or calibrate, with its words.
class RanksProgram {
 public:
  /// The first word is the program's name, or a path that ends in it. Throws ConfigError for no words and
  /// unknown names.
  explicit RanksProgram(std::vector<std::string> words);
  /// One rank of it, from MPI_Init to MPI_Finalize. Returns its exit status.
  [[nodiscard]] int run() const;

 private:
  std::vector<std::string> words_;
  std::string name_;
};

}  // namespace lockstep::simulate
