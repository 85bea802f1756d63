// SPDX-License-Identifier: BSD-3-Clause
// Owned arrays that start on a cache line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <span>
#include <utility>
#include <vector>

namespace lockstep {

inline constexpr std::size_t cache_line_bytes = 64;

/// True: arrays are never written, because nothing is computed. Then they are taken as zeros that the system
/// gives only to who writes, so that thousands of ranks have room. Set before any array is made.
inline bool arrays_stay_zero = false;

// From the C library, which takes zeros from the system as they are. The block's own address lies before it.
[[nodiscard]] inline void* allocate_zeros(std::size_t bytes) {
  void* const block = std::calloc(1, bytes + 2 * cache_line_bytes);
  if (block == nullptr) throw std::bad_alloc();
  const auto address = reinterpret_cast<std::uintptr_t>(block);
  const std::uintptr_t begin = (address / cache_line_bytes + 2) * cache_line_bytes;
  reinterpret_cast<void**>(begin)[-1] = block;
  return reinterpret_cast<void*>(begin);
}
inline void free_zeros(void* begin) { std::free(static_cast<void**>(begin)[-1]); }

/// Allocator whose blocks start on a cache line, so that vector loads never straddle two.
template <class T>
struct CacheLineAllocator {
  using value_type = T;
  CacheLineAllocator() = default;
  template <class U>
  explicit CacheLineAllocator(const CacheLineAllocator<U>&) {}
  T* allocate(std::size_t n) {
    if (arrays_stay_zero) return static_cast<T*>(allocate_zeros(n * sizeof(T)));
    return static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{cache_line_bytes}));
  }
  void deallocate(T* p, std::size_t) {
    if (arrays_stay_zero) return free_zeros(p);
    ::operator delete (p, std::align_val_t{cache_line_bytes});
  }
  /// Of no arguments: zeros that are there already are not written.
  template <class U, class... Values>
  void construct(U* place, Values&&... values) {
    if (sizeof...(Values) == 0 && arrays_stay_zero) return;
    ::new (static_cast<void*>(place)) U(std::forward<Values>(values)...);
  }
  bool operator==(const CacheLineAllocator&) const = default;
};

template <class T>
using AlignedVector = std::vector<T, CacheLineAllocator<T>>;

}  // namespace lockstep
