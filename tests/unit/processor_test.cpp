// SPDX-License-Identifier: BSD-3-Clause
// Processors of several architectures, by what their /proc/cpuinfo says.
#include "core/processor.hpp"

#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/json.hpp"
#include "math/gemm_cache.hpp"
#include "record/provenance.hpp"

namespace lockstep {
namespace {

constexpr const char* zen4 =
    "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\n"
    "model name\t: AMD EPYC 9554 64-Core Processor\nstepping\t: 1\ncpu MHz\t\t: 3100.000\ncpu cores\t: 64\n\n"
    "processor\t: 1\nmodel name\t: another one\n\n";

// Cores of Arm: the maker 0x41 is Arm itself.
std::string arm(const char* implementer, const char* variant, const char* part, const char* revision) {
  const std::string one = std::string("BogoMIPS\t: 2100.00\nFeatures\t: fp asimd evtstrm aes sve\n") +
                          "CPU implementer\t: " + implementer +
                          "\nCPU architecture: 8\nCPU variant\t: " + variant + "\nCPU part\t: " + part +
                          "\nCPU revision\t: " + revision + "\n\n";
  return "processor\t: 0\n" + one + "processor\t: 1\n" + one;
}
const std::string graviton2 = arm("0x41", "0x3", "0xd0c", "1");
const std::string graviton3 = arm("0x41", "0x1", "0xd40", "1");
const std::string graviton4 = arm("0x41", "0x0", "0xd4f", "1");
const std::string grace = arm("0x41", "0x0", "0xd4f", "0");
const std::string a64fx = arm("0x46", "0x1", "0x001", "0");

constexpr const char* power9 =
    "processor\t: 0\ncpu\t\t: POWER9, altivec supported\nclock\t\t: 3783.000000MHz\n"
    "revision\t: 2.2 (pvr 004e 1202)\n\nprocessor\t: 1\ncpu\t\t: POWER9, altivec supported\n\n"
    "timebase\t: 512000000\nplatform\t: PowerNV\nmodel\t\t: 8335-GTH\nmachine\t\t: PowerNV 8335-GTH\n";
constexpr const char* u74 =
    "processor\t: 0\nhart\t\t: 1\nisa\t\t: rv64imafdc\nmmu\t\t: sv39\nuarch\t\t: sifive,u74-mc\n\n";
constexpr const char* c920 =
    "processor\t: 0\nhart\t\t: 2\nisa\t\t: rv64imafdcv\nmmu\t\t: sv39\nmvendorid\t: 0x5b7\nmarchid\t\t: 0x0\n"
    "mimpid\t\t: 0x0\n\n";

std::string described(const std::string& text, std::string_view machine) {
  std::istringstream cpuinfo(text);
  return describe_processor(cpuinfo, machine);
}

TEST(Processor, IsCalledByItsNameWhereItHasOne) {
  EXPECT_EQ(described(zen4, "x86_64"), "AMD EPYC 9554 64-Core Processor");
  EXPECT_EQ(described(power9, "ppc64le"), "POWER9, altivec supported, revision 2.2 (pvr 004e 1202)");
  EXPECT_EQ(described(u74, "riscv64"), "sifive,u74-mc, isa rv64imafdc");
}

TEST(Processor, IsCalledByItsNumbersWhereItHasNoName) {
  EXPECT_EQ(described(graviton3, "aarch64"),
            "aarch64, implementer 0x41, architecture 8, variant 0x1, part 0xd40, revision 1");
  EXPECT_EQ(described(c920, "riscv64"), "riscv64, mvendorid 0x5b7, marchid 0x0, mimpid 0x0, isa rv64imafdcv");
}

TEST(Processor, OfAnotherDesignOrRevisionIsAnother) {
  const std::set<std::string> all = {described(graviton2, "aarch64"), described(graviton3, "aarch64"),
                                     described(graviton4, "aarch64"), described(grace, "aarch64"),
                                     described(a64fx, "aarch64")};
  EXPECT_EQ(all.size(), 5U);
}

TEST(Processor, IsCalledByItsArchitectureWhereNothingIsTold) {
  EXPECT_EQ(described("", "aarch64"), "aarch64");
  EXPECT_EQ(described("\n\nno keys here\n", "s390x"), "s390x");
  EXPECT_EQ(described("model name\t:\n", "riscv64"), "riscv64");
  EXPECT_EQ(described("", ""), "unknown");
}

TEST(Processor, IsTheFirstOneWithoutReadingTheOthers) {
  std::istringstream cpuinfo(zen4);
  EXPECT_EQ(describe_processor(cpuinfo, "x86_64"), "AMD EPYC 9554 64-Core Processor");
  std::string next;
  EXPECT_TRUE(std::getline(cpuinfo, next));
  EXPECT_EQ(next, "processor\t: 1");
}

TEST(Processor, HasOneNameInRunFilesAndInWhatIsMeasuredForIt) {
  const std::string name = processor();
  EXPECT_NE(name, "");
  EXPECT_EQ(record::host_provenance().at("cpu_model"), name);
  EXPECT_THAT(math::gemm_cache_build(), testing::EndsWith(" | " + name));
}

}  // namespace
}  // namespace lockstep
