// SPDX-License-Identifier: BSD-3-Clause
// The table of exchanges, their options, and the choice among them.
#include "algorithms/exchange/exchange.hpp"

#include <algorithm>
#include <array>

#include "algorithms/exchange/exchanges.hpp"
#include "algorithms/exchange/node_sharded_step.hpp"
#include "comm/codec.hpp"
#include "core/error.hpp"
#include "core/names.hpp"

namespace lockstep::algorithms {
namespace {

constexpr std::array table = {
    ExchangeRow{"allreduce", "gradients are all-reduced, every rank updates its own copy of the parameters",
                true, true, make_allreduce_exchange},
    ExchangeRow{"shared", "the ranks of a node share one copy of the parameters", false, false,
                make_node_sharded_exchange},
    ExchangeRow{"zero1",
                "each rank sums and updates one part: the optimizer's state is sharded (ZeRO stage 1)", false,
                true, make_zero1_exchange},
};

constexpr std::string_view chosen = "auto";

}  // namespace

std::span<const ExchangeRow> exchange_table() { return table; }

void ExchangeOptions::describe(Options& options) {
  auto names = names_of(exchange_table());
  names.insert(names.begin(), std::string(chosen));
  options
      .add("exchange", &exchange, "an allreduce of gradients, parameters that a node's ranks share, or zero1")
      .one_of(names);
  options.add("overlap", &overlap, "exchange gradients during the backward pass (with --allreduce mpi)")
      .one_of({"off", "on", "auto"});
  options.add("bucket_floats", &bucket_floats, "overlap: gradients that are exchanged together").at_least(1);
  options.add("compress", &compress, "how gradients are written on the wire; sums stay floats")
      .one_of(names_of(comm::codec_table()));
}

void ExchangeOptions::check(const TrainingOptions& training, std::string_view allreduce_name) const {
  if (training.reproducible && (exchange != chosen || overlap != "off" || compress != "none"))
    throw ConfigError({"--reproducible sums gradients in a way of its own",
                       "--exchange auto, --overlap off, --compress none",
                       "--exchange " + exchange + " --overlap " + overlap + " --compress " + compress});
  const auto* const row = std::ranges::find(table, std::string_view(exchange), &ExchangeRow::name);
  const bool is_chosen = row == table.end();  // then it will be one that can
  if (overlap != "off") {
    if (!is_chosen && !row->overlaps)
      throw ConfigError({"exchange '" + exchange + "' has nothing to do during the backward pass",
                         "--overlap off", "--overlap " + overlap, "--exchange allreduce --allreduce mpi"});
    if (compress != "none")
      throw ConfigError({"gradients that are exchanged during the backward pass are not compressed",
                         "--overlap off or --compress none",
                         "--overlap " + overlap + " --compress " + compress});
    if (allreduce_name != "mpi")
      throw ConfigError({"overlap needs the MPI library's non-blocking allreduce", "--allreduce mpi",
                         "--allreduce " + std::string(allreduce_name)});
  }
  if (compress != "none" && !is_chosen && !row->compresses)
    throw ConfigError({"exchange '" + exchange + "' sends nothing that could be compressed",
                       "--compress none", "--compress " + compress, "--exchange allreduce or zero1"});
}

// Parameters are shared unless something was asked for that needs an allreduce.
std::unique_ptr<Exchange> make_exchange(const ExchangeSetup& setup) {
  TrainingContext& context = setup.context;
  if (context.options.reproducible) return make_reproducible_exchange(setup);
  if (context.ranks.size() == 1) return make_local_update(context, setup.plan, {});
  const ExchangeOptions& options = setup.options;
  options.check(context.options, context.allreduce_name);
  std::string name = options.exchange;
  if (name == chosen)
    name = context.allreduce_name == "auto" && options.overlap == "off" && options.compress == "none" &&
                   nodes_are_alike(context.ranks)
               ? "shared"
               : "allreduce";
  return find_row(exchange_table(), "exchange", name).make(setup);
}

}  // namespace lockstep::algorithms
