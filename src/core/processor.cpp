// SPDX-License-Identifier: BSD-3-Clause
// Reads /proc/cpuinfo, whose keys differ from one architecture to the next.
#include "core/processor.hpp"

#include <fstream>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <sys/utsname.h>

namespace lockstep {
namespace {

std::string trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(blanks) - first + 1));
}

// The "key : value" lines of the first processor, which an empty line ends; the whole file may be long.
std::map<std::string, std::string> first_processor(std::istream& cpuinfo) {
  std::map<std::string, std::string> values;
  for (std::string line; std::getline(cpuinfo, line) && (values.empty() || !trimmed(line).empty());)
    if (const auto colon = line.find(':'); colon != std::string::npos)
      values.emplace(trimmed(std::string_view(line).substr(0, colon)),
                     trimmed(std::string_view(line).substr(colon + 1)));
  return values;
}

// Names: x86 and LoongArch; MIPS; POWER; RISC-V.
constexpr const char* names[] = {"model name", "Model Name", "cpu model", "cpu", "uarch"};
// Numbers that differ between designs and their revisions. On x86 the name is enough.
constexpr std::pair<const char*, const char*> numbers[] = {{"CPU implementer", "implementer"},
                                                           {"CPU architecture", "architecture"},
                                                           {"CPU variant", "variant"},
                                                           {"CPU part", "part"},
                                                           {"CPU revision", "revision"},
                                                           {"revision", "revision"},
                                                           {"mvendorid", "mvendorid"},
                                                           {"marchid", "marchid"},
                                                           {"mimpid", "mimpid"},
                                                           {"isa", "isa"}};

}  // namespace

std::string describe_processor(std::istream& cpuinfo, std::string_view machine) {
  const auto values = first_processor(cpuinfo);
  std::string text;
  for (const char* name : names)
    if (const auto found = values.find(name); found != values.end() && text.empty()) text = found->second;
  if (text.empty()) text = machine.empty() ? "unknown" : machine;
  for (const auto& [key, shown] : numbers)
    if (const auto found = values.find(key); found != values.end() && !found->second.empty())
      text += fmt::format(", {} {}", shown, found->second);
  return text;
}

std::string processor() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  utsname system{};
  return describe_processor(cpuinfo, ::uname(&system) == 0 ? system.machine : "");
}

}  // namespace lockstep
