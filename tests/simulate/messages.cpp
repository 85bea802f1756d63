// SPDX-License-Identifier: BSD-3-Clause
// Messages and work on a simulated cluster, at given times: what tests compare with formulas.
//   messages CLUSTER.json RANKS STEP ...
// STEP: AT/work/SECONDS, AT/FROM>TO:BYTES[,FROM>TO:BYTES ...], or AT/wait: for a message that never comes.
// All ranks wait until second AT. Prints, for each step, a JSON list: how long it took each rank.
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <mpi.h>
#include <simgrid/s4u.hpp>

#include "core/error.hpp"
#include "core/text.hpp"
#include "simulate/cluster.hpp"
#include "simulate/simulator.hpp"

namespace lockstep::simulate {
namespace {

namespace s4u = simgrid::s4u;

// All at once. A message alone is sent and received by the calls that wait.
void exchange(const std::string& text, int rank) {
  const std::vector<std::string> messages = split(text, ',');
  std::vector<std::vector<char>> buffers;
  std::vector<MPI_Request> requests;
  for (const std::string& message : messages) {
    const auto arrow = message.find('>'), colon = message.find(':');
    const int from = std::stoi(message.substr(0, arrow));
    const int to = std::stoi(message.substr(arrow + 1, colon - arrow - 1));
    std::vector<char>& bytes = buffers.emplace_back(std::stoul(message.substr(colon + 1)));
    const int count = static_cast<int>(bytes.size());
    if (messages.size() == 1) {
      if (rank == from) MPI_Send(bytes.data(), count, MPI_CHAR, to, 0, MPI_COMM_WORLD);
      if (rank == to) MPI_Recv(bytes.data(), count, MPI_CHAR, from, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      continue;
    }
    if (rank == from)
      MPI_Isend(bytes.data(), count, MPI_CHAR, to, 0, MPI_COMM_WORLD, &requests.emplace_back());
    if (rank == to)
      MPI_Irecv(bytes.data(), count, MPI_CHAR, from, 0, MPI_COMM_WORLD, &requests.emplace_back());
  }
  MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE);
}

void take(const std::string& step, int rank, int ranks) {
  const std::vector<std::string> words = split(step, '/');
  const double at_s = std::stod(words.at(0));
  s4u::this_actor::sleep_until(at_s);
  if (words.at(1) == "work") {
    s4u::this_actor::execute(std::stod(words.at(2)));
  } else if (words.at(1) == "wait") {
    MPI_Recv(nullptr, 0, MPI_CHAR, rank, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  } else {
    exchange(words.at(1), rank);
  }
  const double took_s = s4u::Engine::get_clock() - at_s;
  std::vector<double> all(static_cast<std::size_t>(ranks));
  MPI_Gather(&took_s, 1, MPI_DOUBLE, all.data(), 1, MPI_DOUBLE, 0, MPI_COMM_WORLD);
  std::string line;
  for (const double took : all) line += fmt::format("{}{:.12g}", line.empty() ? "" : ", ", took);
  if (rank == 0) fmt::print("[{}]\n", line);
}

int run_rank(const std::vector<std::string>& steps) {
  s4u::Engine::set_config(
      "smpi/simulate-computation:false");  // this program's own time is not a test's matter
  MPI_Init(nullptr, nullptr);
  int rank = 0, ranks = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  for (const std::string& step : steps) take(step, rank, ranks);
  MPI_Finalize();
  return 0;
}

}  // namespace
}  // namespace lockstep::simulate

int main(int argc, char** argv) {
  using namespace lockstep;
  try {
    const std::vector<std::string> words(argv + 1, argv + argc);
    const std::vector<std::string> steps(words.begin() + 2, words.end());
    return simulate::run(simulate::read_cluster(words.at(0)), {}, std::stoul(words.at(1)),
                         [&] { return simulate::run_rank(steps); });
  } catch (const Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 2;
  }
}
