// SPDX-License-Identifier: BSD-3-Clause
// The factories behind the rows of the exchange table. Each is collective; see ExchangeRow::make.
#pragma once

#include <memory>

#include "algorithms/exchange/exchange.hpp"

namespace lockstep::algorithms {

[[nodiscard]] std::unique_ptr<Exchange> make_allreduce_exchange(const ExchangeSetup& setup);
[[nodiscard]] std::unique_ptr<Exchange> make_overlapped_exchange(const ExchangeSetup& setup);
[[nodiscard]] std::unique_ptr<Exchange> make_node_sharded_exchange(const ExchangeSetup& setup);
[[nodiscard]] std::unique_ptr<Exchange> make_zero1_exchange(const ExchangeSetup& setup);

/// No row of the table: training with `reproducible` always takes it, on one rank too.
[[nodiscard]] std::unique_ptr<Exchange> make_reproducible_exchange(const ExchangeSetup& setup);

}  // namespace lockstep::algorithms
