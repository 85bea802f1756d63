// SPDX-License-Identifier: BSD-3-Clause
// Replaces operator new and delete, in a file of their own so that no compiler pairs the halves wrongly.
#include "counted_new.hpp"

#include <algorithm>
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

// Every form, so that no block of this file meets a delete of the library or of a sanitizer, nor the other
// way round. AddressSanitizer still sees each block, as one of malloc.
using std::align_val_t, std::nothrow_t, std::size_t;

void* operator new(size_t size, const nothrow_t&) noexcept {
  ++count;
  return std::malloc(size == 0 ? 1 : size);
}
void* operator new(size_t size) {
  if (void* const block = operator new(size, std::nothrow)) return block;
  throw std::bad_alloc();
}
void* operator new[](size_t size, const nothrow_t& tag) noexcept { return operator new(size, tag); }
void* operator new[](size_t size) { return operator new(size); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }
void operator delete(void* block, const nothrow_t&) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete[](void* block, size_t) noexcept { std::free(block); }
void operator delete[](void* block, const nothrow_t&) noexcept { std::free(block); }

void* operator new(size_t size, align_val_t alignment, const nothrow_t&) noexcept {
  ++count;
  const auto unit = static_cast<size_t>(alignment);
  void* const block = std::aligned_alloc(unit, std::max<size_t>((size + unit - 1) / unit, 1) * unit);
  if (block == nullptr) return nullptr;
  const std::lock_guard lock(blocks_mutex);
  aligned_blocks()[block] = size;
  return block;
}
void* operator new(size_t size, align_val_t alignment) {
  if (void* const block = operator new(size, alignment, std::nothrow)) return block;
  throw std::bad_alloc();
}
void* operator new[](size_t size, align_val_t alignment, const nothrow_t& tag) noexcept {
  return operator new(size, alignment, tag);
}
void* operator new[](size_t size, align_val_t alignment) { return operator new(size, alignment); }
void operator delete(void* block, align_val_t) noexcept {
  {
    const std::lock_guard lock(blocks_mutex);
    aligned_blocks().erase(block);
  }
  std::free(block);
}
void operator delete(void* block, size_t, align_val_t unit) noexcept { operator delete(block, unit); }
void operator delete(void* block, align_val_t unit, const nothrow_t&) noexcept {
  operator delete(block, unit);
}
void operator delete[](void* block, align_val_t unit) noexcept { operator delete(block, unit); }
void operator delete[](void* block, size_t, align_val_t unit) noexcept { operator delete(block, unit); }
void operator delete[](void* block, align_val_t unit, const nothrow_t&) noexcept {
  operator delete(block, unit);
}

std::size_t lockstep::allocations() { return count; }

std::size_t lockstep::aligned_bytes() {
  const std::lock_guard lock(blocks_mutex);
  std::size_t sum = 0;
  for (const auto& [block, size] : aligned_blocks()) sum += size;
  return sum;
}
