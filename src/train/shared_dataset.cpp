// SPDX-License-Identifier: BSD-3-Clause
// Loads a data set into a window.
#include "train/shared_dataset.hpp"

#include <memory>
#include <type_traits>

#include "comm/node_memory.hpp"
#include "core/platform.hpp"
#include "core/sha256.hpp"
#include "train/failure.hpp"

namespace lockstep::train {
namespace {

// The window's first bytes describe to the other ranks what is in it.
constexpr std::size_t header_bytes = 128;  // whole cache lines
static_assert(sizeof(data::DatasetInfo) <= header_bytes && std::is_trivially_copyable_v<data::DatasetInfo>);

// Maps all pages into this process. Otherwise a rank that has not written them maps each in the first epoch,
// on the training clock: for MNIST that took 80 ms, as long as half an epoch on two ranks.
void touch_pages(std::span<const std::byte> memory) {
  constexpr std::size_t page_bytes = 4096;  // larger pages are touched more often than needed
  for (std::size_t at = 0; at < memory.size(); at += page_bytes)
    (void)*static_cast<const volatile std::byte*>(&memory[at]);
}

// Reads the data set on the node's first rank into a window; there `sha256` becomes its checksum. Collective.
comm::SharedWindow load(const comm::Communicator& ranks, const comm::Communicator& node,
                        const data::DataOptions& options, std::string& sha256) {
  std::unique_ptr<data::DatasetSource> source;  // on the node's first rank
  data::DatasetInfo info;
  do_or_fail_together(ranks, [&] {
    if (!node.is_root()) return;
    source = data::open_dataset(options);
    info = source->info();
    comm::check_shared_memory(node, header_bytes + info.total_bytes());
  });
  comm::SharedWindow window(node, header_bytes + info.total_bytes());
  do_or_fail_together(ranks, [&] {
    if (!source && platform().is_simulated) return;   // one process has touched them
    if (!source) return touch_pages(window.bytes());  // while the first rank reads the files
    new (window.bytes().data()) data::DatasetInfo(info);
    const auto block = window.bytes().subspan(header_bytes, info.total_bytes());
    source->load(block);
    sha256 = lockstep::sha256(block);
  });
  window.fence();
  return window;
}

}  // namespace

SharedDataset::SharedDataset(const comm::Communicator& ranks, const comm::Communicator& node,
                             const data::DataOptions& options)
    : window_(load(ranks, platform().is_simulated ? ranks : node, options, sha256_)) {
  const data::DatasetInfo info = *reinterpret_cast<const data::DatasetInfo*>(window_.bytes().data());
  dataset_ = data::view_dataset(info, window_.bytes().subspan(header_bytes));
}

}  // namespace lockstep::train
