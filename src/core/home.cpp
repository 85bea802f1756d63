// SPDX-License-Identifier: BSD-3-Clause
// The checkout, and the programs beside this one.
#include "core/home.hpp"

#include <algorithm>
#include <cstdlib>
#include <system_error>
#include <vector>

#include "core/error.hpp"
#include "core/names.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

fs::path this_program() { return fs::canonical("/proc/self/exe"); }

}  // namespace

fs::path find_home() {
  if (const char* given = std::getenv("LOCKSTEP_HOME"); given != nullptr && *given != '\0') return given;
  for (fs::path folder = this_program().parent_path(); folder.has_relative_path();
       folder = folder.parent_path())
    if (fs::exists(folder / "jobs" / "sites")) return folder;
  return {};
}

fs::path home() {
  const fs::path found = find_home();
  if (!found.empty()) return found;
  throw Error({.what = "cannot find Lockstep's folder jobs/sites",
               .got = "nothing of that name above " + this_program().string(),
               .hint = "set LOCKSTEP_HOME to the checkout"});
}

fs::path sibling_program(const std::string& name) {
  for (const char* prefix : {"", "lockstep-"}) {  // the second one: as installed
    const fs::path path = this_program().parent_path() / (prefix + name);
    if (fs::exists(path)) return path;
  }
  throw Error({.what = "the program " + name + " is not beside " + this_program().string(), .hint = "make"});
}

fs::path find_json_file(const std::string& kind, const std::string& name_or_path, const fs::path& folder) {
  const fs::path path = name_or_path;
  if (path.extension() == ".json") return path;
  const fs::path place = home() / folder;
  const fs::path file = place / (name_or_path + ".json");
  if (fs::exists(file)) return file;
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(place, ignored))
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem());
  std::ranges::sort(names);
  throw unknown_name(kind, name_or_path, names);
}

}  // namespace lockstep
