// SPDX-License-Identifier: BSD-3-Clause
// One copy of the data set per node.
#pragma once

#include <string>

#include "comm/communicator.hpp"
#include "comm/shared_window.hpp"
#include "data/dataset.hpp"

namespace lockstep::train {

/// A data set in memory that the ranks of a node share; only the node's first rank reads it. All nodes of a
/// simulated cluster share one.
class SharedDataset {
 public:
  /// `node` is a part of `ranks`. Throws AgreedError if any node cannot read the set. Collective.
  SharedDataset(const comm::Communicator& ranks, const comm::Communicator& node,
                const data::DataOptions& options);

  [[nodiscard]] const data::Dataset& dataset() const { return dataset_; }
  /// SHA-256 of all its bytes; on the node's first rank, elsewhere "".
  [[nodiscard]] const std::string& sha256() const { return sha256_; }

 private:
  std::string sha256_;
  comm::SharedWindow window_;
  data::Dataset dataset_;
};

}  // namespace lockstep::train
