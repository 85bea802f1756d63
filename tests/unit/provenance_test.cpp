// SPDX-License-Identifier: BSD-3-Clause
// Provenance: what is told of build, machine and environment, and what never is.
#include "record/provenance.hpp"

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include "core/json.hpp"
#include "record/binding.hpp"

namespace lockstep::record {
namespace {

TEST(BuildProvenance, NamesEveryPartOfTheBuild) {
  const Json build = build_provenance();
  for (const char* key : {"lockstep_version", "git_sha", "compiler", "compiler_flags", "build_config", "blas",
                          "hdf5_version", "eigen_version", "json_version"})
    EXPECT_NE(build.at(key).get<std::string>(), "") << key;
  EXPECT_TRUE(build.at("git_dirty").is_boolean());
  EXPECT_THAT(build["hdf5_version"].get<std::string>(), ::testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
}

TEST(HostProvenance, NamesThisMachine) {
  const Json host = host_provenance();
  for (const char* key : {"hostname", "kernel", "cpu_model", "smt", "governor", "boost"})
    EXPECT_NE(host.at(key).get<std::string>(), "") << key;
  EXPECT_GE(host.at("online_cpus").get<int>(), 1);
  EXPECT_GT(host.at("memory_bytes").get<double>(), 1e6);
  for (const auto& [key, value] : host.items())
    EXPECT_TRUE(!key.ends_with("_bytes") || value.get<double>() > 1024.0) << key;
}

TEST(EnvironmentProvenance, TellsWhatSteersTheRunAndNoSecret) {
  for (const char* name : {"SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
                           "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "PMIX_RANK"})
    EXPECT_TRUE(is_recorded_variable(name)) << name;
  for (const char* name :
       {"HOME", "PATH", "AWS_SECRET_ACCESS_KEY", "XSLURM_NTASKS", "SLURM_JWT", "SLURM_API_TOKEN",
        "SLURM_X_PASSWORD", "OMPI_MY_KEY", "OMPI_MY_key", "PMIX_SECURITY_MODE", "PMIX_CREDENTIAL",
        "OMPI_MCA_orte_precondition_transports", "SLURM_DB_PASS", "SLURM_MY_PWD", "SLURM_CRED_FILE",
        "OMPI_CLIENT_CERT", "SLURM_AUTH_X"})
    EXPECT_FALSE(is_recorded_variable(name)) << name;
  ::setenv("SLURM_LOCKSTEP_TEST", "a=b", 1);
  ::setenv("SLURM_LOCKSTEP_SECRET", "hidden", 1);
  const Json environment = environment_provenance();
  EXPECT_EQ(environment.at("SLURM_LOCKSTEP_TEST"), "a=b");
  EXPECT_THAT(environment.dump(), ::testing::Not(::testing::HasSubstr("hidden")));
}

TEST(EnvironmentProvenance, CutsAValueBeforeASecretInIt) {
  for (const auto& [value, kept] : std::vector<std::pair<std::string, std::string>>{
           {"ALL,WANDB_API_KEY=abc,A=b", "ALL,WANDB_API_KEY=..."},
           {"ALL,db_pass='x,y'", "ALL,db_pass=..."},
           {"--api-token: abc", "--api-token:..."},
           {R"({"password": "abc"})", R"({"password":...)"},
           {"https://user:abc@host/x", "https://..."},
           {"A=1;HF_TOKEN = abc", "A=1;HF_TOKEN =..."},
           {"ALL,OMP_NUM_THREADS=1", "ALL,OMP_NUM_THREADS=1"},
           {"tcp://10.0.0.1:80", "tcp://10.0.0.1:80"},
           {"", ""}})
    EXPECT_EQ(without_secrets(value), kept);
  ::setenv("SLURM_EXPORT_ENV", "ALL,WANDB_API_KEY=hidden,A=b", 1);
  EXPECT_EQ(environment_provenance().at("SLURM_EXPORT_ENV"), "ALL,WANDB_API_KEY=...");
  ::unsetenv("SLURM_EXPORT_ENV");
}

TEST(EnvironmentProvenance, IsAnEmptyObjectWhenThereIsNothingToTell) {
  char* nothing[] = {nullptr};
  char** const before = std::exchange(environ, nothing);
  const Json environment = environment_provenance();
  environ = before;
  EXPECT_EQ(environment.dump(), "{}");
}

TEST(CpuList, JoinsNeighbours) {
  using Cpus = std::vector<std::size_t>;
  EXPECT_EQ(cpu_list(Cpus{}), "");
  EXPECT_EQ(cpu_list(Cpus{5}), "5");
  EXPECT_EQ(cpu_list(Cpus{0, 1}), "0-1");
  EXPECT_EQ(cpu_list(Cpus{0, 1, 2, 3, 8}), "0-3,8");
  EXPECT_EQ(cpu_list(Cpus{0, 2, 4, 5}), "0,2,4-5");
}

TEST(Binding, FollowsTheProcessToItsCpus) {
  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  std::size_t cpu = 0;
  while (!CPU_ISSET(cpu, &before)) ++cpu;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(binding(), std::to_string(cpu));
  ASSERT_EQ(::sched_setaffinity(0, sizeof before, &before), 0);
  EXPECT_THAT(binding(), ::testing::MatchesRegex("[0-9,-]+"));
}

TEST(UtcNow, IsIso8601) { EXPECT_THAT(utc_now(), ::testing::MatchesRegex("20..-..-..T..:..:..Z")); }

TEST(MemoryUse, GrowsWithTheMemoryThatIsWritten) {
  constexpr std::size_t size = 64 << 20;
  const MemoryUse before = memory_use();
  const std::vector<char> block(size, 'x');
  const MemoryUse after = memory_use();
  EXPECT_EQ(block.back(), 'x');
  EXPECT_GT(before.private_bytes, 0U);
  EXPECT_GT(after.private_bytes, before.private_bytes + size * 9 / 10);
  EXPECT_GE(after.peak_rss_bytes + (1 << 20), after.private_bytes);
}

}  // namespace
}  // namespace lockstep::record
