// SPDX-License-Identifier: BSD-3-Clause
// Where the four files of an IDX data set are, however they are spelt.
#pragma once

#include <filesystem>
#include <string>

namespace lockstep::data {

/// The files of a set.
struct IdxFiles {
  std::filesystem::path train_images, train_labels, test_images, test_labels;
};

/// Looks in a folder for files called PREFIX{train,t10k,test}-{images-idx3,labels-idx1}-ubyte, also with
/// other counts of dimensions and types of values (idx4-float, idx1-int), with a dot or an underscore for a
/// dash, plain (which is preferred) or with .gz. `place` is the folder, or FOLDER/PREFIX where a folder holds
/// several sets. Throws Error that says what is missing, or which sets there are.
[[nodiscard]] IdxFiles find_idx_files(const std::filesystem::path& place);

}  // namespace lockstep::data
