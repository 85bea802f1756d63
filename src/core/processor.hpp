// SPDX-License-Identifier: BSD-3-Clause
// What this machine's processor is called.
#pragma once

#include <istream>
#include <string>
#include <string_view>

namespace lockstep {

/// The processor's kind in one line: two processors for which other code is the fastest have different ones.
/// x86 has a name for it ("AMD EPYC 9554 64-Core Processor"); Arm has the numbers of its maker and design
/// instead, RISC-V those and what instructions it knows. "unknown" where the system tells nothing.
[[nodiscard]] std::string processor();

/// The same out of the text of /proc/cpuinfo, of which the first processor is read, and the name that uname
/// has for the machine ("x86_64", "aarch64").
[[nodiscard]] std::string describe_processor(std::istream& cpuinfo, std::string_view machine);

}  // namespace lockstep
