// SPDX-License-Identifier: BSD-3-Clause
// Where ranks go, and the command lines that start them.
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../support/message_of.hpp"
#include "core/error.hpp"
#include "core/names.hpp"
#include "sweep/local/launcher.hpp"

namespace lockstep::sweep {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Site cluster_site() {
  Site site;
  site.name = "cluster";
  site.scheduler = "slurm";
  return site;
}

Allocation four_nodes_of_four() {
  return {.job_id = "7", .hosts = {"n1", "n2", "n3", "n4"}, .tasks = 16, .cores_per_node = 4, .restarts = 0};
}

std::string line_of(const Site& site, const Placement& placement) {
  return shell_line(launch_line(site, placement, {"train"}).words);
}

TEST(ExpandHosts, ReadsWhatSlurmWrites) {
  EXPECT_THAT(expand_hosts("n1"), ElementsAre("n1"));
  EXPECT_THAT(expand_hosts("n1,m2"), ElementsAre("n1", "m2"));
  EXPECT_THAT(expand_hosts("n[1-3,7],m5"), ElementsAre("n1", "n2", "n3", "n7", "m5"));
  EXPECT_THAT(expand_hosts("a[08-10]-ib,b"), ElementsAre("a08-ib", "a09-ib", "a10-ib", "b"));
  EXPECT_THAT(expand_hosts(""), ElementsAre());
}

TEST(Place, TakesTheFewestOfTheFirstNodes) {
  EXPECT_THAT(place(cluster_site(), four_nodes_of_four(), 1, 0).hosts, ElementsAre("n1"));
  EXPECT_THAT(place(cluster_site(), four_nodes_of_four(), 4, 0).hosts, ElementsAre("n1"));
  EXPECT_THAT(place(cluster_site(), four_nodes_of_four(), 5, 0).hosts, ElementsAre("n1", "n2"));
  EXPECT_THAT(place(cluster_site(), four_nodes_of_four(), 16, 0).hosts, ElementsAre("n1", "n2", "n3", "n4"));
}

TEST(Place, NestsSmallerRunsInThePlacesOfLargerOnes) {
  std::vector<std::string> before;
  for (std::size_t ranks = 1; ranks <= 16; ++ranks) {
    const std::vector<std::string> hosts = place(cluster_site(), four_nodes_of_four(), ranks, 0).hosts;
    ASSERT_LE(before.size(), hosts.size());
    EXPECT_TRUE(std::equal(before.begin(), before.end(), hosts.begin())) << ranks;
    before = hosts;
  }
}

TEST(Place, SpreadsOverAsManyNodesAsAreAskedFor) {
  EXPECT_THAT(place(cluster_site(), four_nodes_of_four(), 4, 2).hosts, ElementsAre("n1", "n2"));
}

TEST(Place, RefusesWhatDoesNotFit) {
  const auto with = [](std::size_t ranks, std::size_t nodes) {
    return message_of<ConfigError>([=] { (void)place(cluster_site(), four_nodes_of_four(), ranks, nodes); });
  };
  EXPECT_THAT(with(17, 0), HasSubstr("17 ranks do not fit"));
  EXPECT_THAT(with(17, 0), HasSubstr("at most 4 nodes of 4 cores"));
  EXPECT_THAT(with(8, 5), HasSubstr("8 ranks on 5 nodes do not fit"));
  EXPECT_THAT(with(9, 2), HasSubstr("oversubscribe"));
  EXPECT_THAT(with(2, 3), HasSubstr("at least one rank a node"));
}

Site simulated_site() {
  Site site;
  site.simulation = {.site = "sim:small",
                     .cluster = "small",
                     .file = "/clusters/small.json",
                     .cores_per_node = 4,
                     .most_ranks = 64,
                     .options = {"--option", "value"}};
  return site;
}

TEST(Place, OfASimulatedClusterHoldsWhatItsFileSays) {
  const Placement placement = place(simulated_site(), {}, 64, 0);
  EXPECT_EQ(placement.ranks, 64U);
  EXPECT_FALSE(placement.share_cores);
  EXPECT_THAT(message_of<ConfigError>([] { (void)place(simulated_site(), {}, 65, 0); }),
              HasSubstr("most_ranks"));
}

TEST(LaunchLine, OfASimulatedClusterIsOneProcess) {
  EXPECT_THAT(
      line_of(simulated_site(), {.ranks = 64}),
      testing::EndsWith("/build/sim/bin/simulate 64 --cluster /clusters/small.json --option value train"));
}

TEST(Place, SharesCoresWhereTheSiteAllowsIt) {
  Site site = cluster_site();
  site.oversubscribe = true;
  const Placement placement = place(site, four_nodes_of_four(), 40, 0);
  EXPECT_TRUE(placement.share_cores);
  EXPECT_EQ(placement.hosts.size(), 4U);
  EXPECT_FALSE(place(site, four_nodes_of_four(), 16, 0).share_cores);
}

TEST(LaunchLine, GivesMpirunTheSlotsOfEachHost) {
  const Placement placement = place(cluster_site(), four_nodes_of_four(), 6, 0);
  EXPECT_THAT(line_of(cluster_site(), placement),
              HasSubstr("mpirun -n 6 --host n1:3,n2:3 --map-by core --bind-to core"));
  EXPECT_THAT(line_of(cluster_site(), {.ranks = 7, .hosts = {"a", "b", "c"}, .share_cores = false}),
              HasSubstr("--host a:3,b:2,c:2"));
}

TEST(LaunchLine, StartsRanksThatShareCoresUnbound) {
  Site site = cluster_site();
  site.oversubscribe = true;
  const LaunchLine line = launch_line(site, {.ranks = 8, .hosts = {}, .share_cores = true}, {"train"});
  EXPECT_THAT(shell_line(line.words), HasSubstr("--bind-to none --oversubscribe"));
  EXPECT_THAT(line.environment,
              testing::Contains(std::pair<std::string, std::string>("LOCKSTEP_BINDING", "none")));
  EXPECT_THAT(line.environment,
              testing::Contains(std::pair<std::string, std::string>("OMPI_MCA_mpi_yield_when_idle", "1")));
}

TEST(LaunchLine, TellsTheRanksWhatTheyAreBoundTo) {
  const LaunchLine line =
      launch_line(cluster_site(), {.ranks = 2, .hosts = {}, .share_cores = false}, {"train"});
  EXPECT_THAT(line.environment,
              testing::Contains(std::pair<std::string, std::string>("LOCKSTEP_BINDING", "core")));
  EXPECT_THAT(shell_line(line.words), HasSubstr("-x LOCKSTEP_BINDING"));
}

TEST(LaunchLine, HandsTheSitesVariablesToRanksOnOtherNodes) {
  Site site = cluster_site();
  site.environment = {{"OMPI_MCA_btl", "self,tcp"}};
  EXPECT_THAT(line_of(site, {.ranks = 2, .hosts = {}, .share_cores = false}), HasSubstr("-x OMPI_MCA_btl"));
}

TEST(LaunchLine, KeepsSrunToTheHostsAndEndsAllRanksWithOne) {
  Site site = cluster_site();
  site.launcher = "srun";
  const std::string even = line_of(site, place(site, four_nodes_of_four(), 8, 0));
  EXPECT_THAT(even, HasSubstr("srun --mpi=pmix --kill-on-bad-exit=1 -n 8 -N 2 -w n1,n2 --ntasks-per-node=4"));
  EXPECT_THAT(even, HasSubstr("--cpu-bind=verbose,cores"));
  EXPECT_THAT(line_of(site, place(site, four_nodes_of_four(), 7, 0)), Not(HasSubstr("--ntasks-per-node")));
}

TEST(LaunchLine, PutsTheSitesArgumentsBeforeTheProgram) {
  Site site = cluster_site();
  site.launcher_args = {"--mca", "pml", "ucx"};
  EXPECT_THAT(line_of(site, {.ranks = 2, .hosts = {}, .share_cores = false}),
              testing::EndsWith("--mca pml ucx train"));
}

TEST(CurrentAllocation, IsWhatSlurmsVariablesSay) {
  const std::vector<std::pair<const char*, const char*>> variables = {{"SLURM_JOB_ID", "41"},
                                                                      {"SLURM_JOB_NODELIST", "n[1-3]"},
                                                                      {"SLURM_NTASKS", "11"},
                                                                      {"SLURM_JOB_CPUS_PER_NODE", "4(x2),3"},
                                                                      {"SLURM_RESTART_COUNT", "2"}};
  for (const auto& [name, value] : variables) setenv(name, value, 1);
  const Allocation allocation = current_allocation();
  for (const auto& [name, value] : variables) unsetenv(name);
  EXPECT_EQ(allocation.job_id, "41");
  EXPECT_THAT(allocation.hosts, ElementsAre("n1", "n2", "n3"));
  EXPECT_EQ(allocation.tasks, 11U);
  EXPECT_EQ(allocation.cores_per_node, 3U);
  EXPECT_EQ(allocation.restarts, 2U);
  EXPECT_TRUE(current_allocation().job_id.empty());
}

TEST(ShellLine, MeansTheWords) {
  const std::vector<std::string> words = {"printf", "%s|",   "a b",           "it's",
                                          "",       "$HOME", "--x={\"y\":1}", "plain-1.5"};
  const Captured answer = capture({"sh", "-c", shell_line(words)});
  EXPECT_EQ(answer.out, "a b|it's||$HOME|--x={\"y\":1}|plain-1.5|");
}

TEST(Capture, KeepsBothOutputsAndTheStatus) {
  const Captured answer = capture({"sh", "-c", "echo out; echo err >&2; exit 7"});
  EXPECT_EQ(answer.out, "out\n");
  EXPECT_EQ(answer.err, "err\n");
  EXPECT_EQ(answer.status, 7);
  EXPECT_THROW((void)capture({"no-program-of-this-name"}), Error);
}

}  // namespace
}  // namespace lockstep::sweep
