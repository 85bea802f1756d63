// SPDX-License-Identifier: BSD-3-Clause
// Loads a data set into a window.
#include "train/shared_dataset.hpp"

#include <memory>

#include "core/error.hpp"
#include "core/sha256.hpp"

namespace lockstep::train {
namespace {

// The window's first bytes tell the other ranks what is in it.
struct Opened {
  std::unique_ptr<data::DatasetSource> source;  // on the node's first rank
  data::DatasetInfo info;
};

Opened open(const comm::Communicator& node, const data::DataOptions& options) {
  if (!node.is_root()) return {};
  Opened opened{.source = data::open_dataset(options), .info = {}};
  opened.info = opened.source->info();
  return opened;
}

// What `action` returns; what it throws is thrown on all ranks. Collective.
template <class Action>
auto on_all(const comm::Communicator& ranks, Action action) {
  std::string failure;
  decltype(action()) result{};
  try {
    result = action();
  } catch (const Error& error) {
    failure = error.what();
  }
  ranks.agree_on_failure(failure);
  return result;
}

constexpr std::size_t header_bytes = 64;
static_assert(sizeof(data::DatasetInfo) <= header_bytes);

std::span<std::uint8_t> as_bytes(std::span<std::byte> memory) {
  return {reinterpret_cast<std::uint8_t*>(memory.data()), memory.size()};
}

// Maps all pages into this process. Otherwise a rank that has not written them meets each for the first time
// in the first epoch, on the training clock: for MNIST that took 80 ms, as long as half an epoch on two
// ranks.
void touch_pages(std::span<const std::byte> memory) {
  constexpr std::size_t page_bytes = 4096;  // larger pages are touched more often than needed
  for (std::size_t at = 0; at < memory.size(); at += page_bytes)
    (void)*static_cast<const volatile std::byte*>(&memory[at]);
}

}  // namespace

SharedDataset::SharedDataset(const comm::Communicator& ranks, const comm::Communicator& node,
                             const data::DataOptions& options)
    : window_([&] {
        const Opened opened = on_all(ranks, [&] { return open(node, options); });
        comm::SharedWindow window(node, header_bytes + opened.info.total_bytes());
        sha256_ = on_all(ranks, [&]() -> std::string {
          if (!opened.source) {
            touch_pages(window.bytes());  // while the first rank reads the files
            return "";
          }
          new (window.bytes().data()) data::DatasetInfo(opened.info);
          const auto block = as_bytes(window.bytes().subspan(header_bytes)).first(opened.info.total_bytes());
          opened.source->load(block);
          return lockstep::sha256(std::as_bytes(block));
        });
        window.fence();
        return window;
      }()) {
  const data::DatasetInfo info = *reinterpret_cast<const data::DatasetInfo*>(window_.bytes().data());
  dataset_ = data::view_dataset(info, as_bytes(window_.bytes().subspan(header_bytes)));
}

}  // namespace lockstep::train
