// SPDX-License-Identifier: BSD-3-Clause
// Whether files are those of the data set whose name they have.
#pragma once

#include <string>

#include "data/idx_folder.hpp"

namespace lockstep::data {

/// What is wrong with files that are called `name`, in one line: they are another known set's, or one has
/// another content than it was published with. "" when all is right, or when the name is of no known set.
/// A file's checksum is kept in the cache folder, by the file's path, size and time of change.
[[nodiscard]] std::string known_set_note(const std::string& name, const IdxFiles& files);

}  // namespace lockstep::data
