// SPDX-License-Identifier: BSD-3-Clause
// Vectors as wide as the machine that this build is for. GCC's and Clang's vector extensions: + - * and
// comparisons work element by element, on every architecture.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lockstep::simd {

#if defined(__AVX512F__)
inline constexpr std::size_t vector_bytes = 64;
inline constexpr std::size_t vector_registers = 32;
#elif defined(__AVX__)
inline constexpr std::size_t vector_bytes = 32;
inline constexpr std::size_t vector_registers = 16;
#elif defined(__x86_64__)
inline constexpr std::size_t vector_bytes = 16;
inline constexpr std::size_t vector_registers = 16;
#else  // NEON, VSX
inline constexpr std::size_t vector_bytes = 16;
inline constexpr std::size_t vector_registers = 32;
#endif

inline constexpr std::size_t width = vector_bytes / sizeof(float);  ///< floats in a vector

/// `width` floats in a register.
using Floats = float __attribute__((vector_size(vector_bytes)));

namespace detail {
// The same as an object in memory: need not be aligned, and may alias any array of floats.
using FloatsInMemory = float __attribute__((vector_size(vector_bytes), aligned(4), may_alias));
}  // namespace detail

[[nodiscard]] inline Floats load(const float* from) {
  return *reinterpret_cast<const detail::FloatsInMemory*>(from);
}
inline void store(float* to, Floats values) { *reinterpret_cast<detail::FloatsInMemory*>(to) = values; }
[[nodiscard]] inline Floats broadcast(float value) { return Floats{} + value; }

}  // namespace lockstep::simd
