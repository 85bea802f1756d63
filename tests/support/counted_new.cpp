// SPDX-License-Identifier: BSD-3-Clause
// Replaces operator new and delete, in a file of their own so that no compiler pairs the halves wrongly.
#include "counted_new.hpp"

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>

namespace {

std::atomic<std::size_t> count = 0;
std::mutex blocks_mutex;

std::map<void*, std::size_t>& aligned_blocks() {
  static std::map<void*, std::size_t> blocks;
  return blocks;
}

}  // namespace

// All forms whose blocks may meet a delete of this file: a sanitizer brings its own, and compares.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++count;
  return std::malloc(size == 0 ? 1 : size);
}
void* operator new(std::size_t size) {
  if (void* const block = operator new(size, std::nothrow)) return block;
  throw std::bad_alloc();
}
void* operator new[](std::size_t size, const std::nothrow_t& tag) noexcept { return operator new(size, tag); }
void* operator new[](std::size_t size) { return operator new(size); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t) noexcept { std::free(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { std::free(block); }

void* operator new(std::size_t size, std::align_val_t alignment) {
  ++count;
  const auto unit = static_cast<std::size_t>(alignment);
  void* const block = std::aligned_alloc(unit, (size + unit - 1) / unit * unit);
  if (block == nullptr) throw std::bad_alloc();
  const std::lock_guard lock(blocks_mutex);
  aligned_blocks()[block] = size;
  return block;
}
void operator delete(void* block, std::align_val_t) noexcept {
  {
    const std::lock_guard lock(blocks_mutex);
    aligned_blocks().erase(block);
  }
  std::free(block);
}
void operator delete(void* block, std::size_t, std::align_val_t alignment) noexcept {
  operator delete(block, alignment);
}

std::size_t lockstep::allocations() { return count; }

std::size_t lockstep::aligned_bytes() {
  const std::lock_guard lock(blocks_mutex);
  std::size_t sum = 0;
  for (const auto& [block, size] : aligned_blocks()) sum += size;
  return sum;
}
