// SPDX-License-Identifier: BSD-3-Clause
// What this machine's processor is called.
#pragma once

#include <istream>
#include <string>
#include <string_view>

namespace lockstep {

/// The processor's kind in one line; it differs between processors for which different code may be the
/// fastest. x86 has a name for it ("AMD EPYC 9554 64-Core Processor"). Arm has numbers of maker and design
/// instead, RISC-V also a list of instruction sets. "unknown" if the system says nothing.
[[nodiscard]] std::string processor();

/// The same from a text like /proc/cpuinfo, whose first processor counts, and uname's name for the machine
/// ("x86_64", "aarch64").
[[nodiscard]] std::string describe_processor(std::istream& cpuinfo, std::string_view machine);

}  // namespace lockstep
