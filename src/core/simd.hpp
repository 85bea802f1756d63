// SPDX-License-Identifier: BSD-3-Clause
// Vectors as wide as the machine that this build is for. GCC's and Clang's vector extensions: + - * and
// comparisons work element by element, on every architecture.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
// GCC 12 warns of the deliberately undefined operands inside (GCC bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

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

/// As many 32-bit whole numbers; what a comparison of Floats yields: -1 for true, 0 for false.
using Ints = std::int32_t __attribute__((vector_size(vector_bytes)));

namespace detail {
// The same as an object in memory: need not be aligned, and may alias any array of floats. A typedef, since
// Clang drops `aligned` from the right side of a using-declaration and then loads as if it were aligned.
typedef Floats FloatsInMemory
    __attribute__((aligned(alignof(float)), may_alias));  // NOLINT(modernize-use-using)

#if defined(__AVX512F__)
[[nodiscard]] inline __mmask16 first_lanes(std::size_t count) {
  return static_cast<__mmask16>((1U << count) - 1U);
}
#elif defined(__AVX__)
[[nodiscard]] inline __m256i first_lanes(std::size_t count) {
  alignas(32) static constexpr std::int32_t lanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(lanes + width - count));
}
#endif
}  // namespace detail

[[nodiscard]] inline Floats load(const float* from) {
  return *reinterpret_cast<const detail::FloatsInMemory*>(from);
}
/// Like load(), for a vector that is used several times. Compilers think that a load in an arithmetic
/// instruction costs nothing, and would repeat it in each use.
[[nodiscard]] inline Floats load_once(const float* from) {
  Floats values = load(from);
#if defined(__AVX512F__)
  asm("" : "+v"(values));  // an instruction that changes `values`, for all that the compiler knows
#elif defined(__x86_64__)
  asm("" : "+x"(values));
#elif defined(__aarch64__)
  asm("" : "+w"(values));
#endif
  return values;
}
inline void store(float* to, Floats values) { *reinterpret_cast<detail::FloatsInMemory*>(to) = values; }
/// The first `count` <= width values. The others are 0, and their memory is not touched.
[[nodiscard]] inline Floats load_first(const float* from, std::size_t count) {
#if defined(__AVX512F__)
  return _mm512_maskz_loadu_ps(detail::first_lanes(count), from);
#elif defined(__AVX__)
  return _mm256_maskload_ps(from, detail::first_lanes(count));
#else
  Floats values{};
  std::memcpy(&values, from, count * sizeof(float));
  return values;
#endif
}
/// Stores the first `count` <= width values only.
inline void store_first(float* to, std::size_t count, Floats values) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(to, detail::first_lanes(count), values);
#elif defined(__AVX__)
  _mm256_maskstore_ps(to, detail::first_lanes(count), values);
#else
  std::memcpy(to, &values, count * sizeof(float));
#endif
}
/// 0, 1, 2, ...
[[nodiscard]] inline Ints lane_numbers() {
  Ints numbers{};
  for (std::size_t i = 0; i < width; ++i) numbers[i] = static_cast<std::int32_t>(i);
  return numbers;
}
[[nodiscard]] inline Floats to_floats(Ints values) { return __builtin_convertvector(values, Floats); }
/// Rounded towards 0.
[[nodiscard]] inline Ints to_ints(Floats values) { return __builtin_convertvector(values, Ints); }
/// The bits of a vector, read as another type of element.
[[nodiscard]] inline Ints as_ints(Floats values) { return reinterpret_cast<Ints>(values); }
[[nodiscard]] inline Floats as_floats(Ints values) { return reinterpret_cast<Floats>(values); }

[[nodiscard]] inline Floats sqrt(Floats values) {
#if defined(__AVX512F__)
  return _mm512_sqrt_ps(values);
#elif defined(__AVX__)
  return _mm256_sqrt_ps(values);
#else
  Floats roots{};
  for (std::size_t i = 0; i < width; ++i) roots[i] = std::sqrt(values[i]);
  return roots;
#endif
}

/// 64-bit words in a register.
using Words = std::uint64_t __attribute__((vector_size(vector_bytes)));
inline constexpr std::size_t word_count = vector_bytes / sizeof(std::uint64_t);

/// In each lane the product of the low halves of a and b; the vector extensions cannot express it.
[[nodiscard]] inline Words multiply_low_halves(Words a, Words b) {
#if defined(__AVX512F__)
  return reinterpret_cast<Words>(
      _mm512_mul_epu32(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<Words>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__x86_64__) && !defined(__AVX__)
  return reinterpret_cast<Words>(_mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#elif defined(__aarch64__)
  return vmull_u32(vmovn_u64(a), vmovn_u64(b));
#else
  constexpr std::uint64_t low = 0xFFFFFFFF;
  return (a & low) * (b & low);
#endif
}

/// a[0], b[0], a[1], b[1], ...: all that, in two vectors. Compilers make shuffles of these constructions.
inline void interleave(Words a, Words b, Words& first, Words& second) {
#if defined(__AVX512F__)
  first = Words{a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3]};
  second = Words{a[4], b[4], a[5], b[5], a[6], b[6], a[7], b[7]};
#elif defined(__AVX__)
  first = Words{a[0], b[0], a[1], b[1]};
  second = Words{a[2], b[2], a[3], b[3]};
#else
  first = Words{a[0], b[0]};
  second = Words{a[1], b[1]};
#endif
}

/// `value` in every lane. Not Floats{} + value, which is an addition, because that turns -0 into 0.
[[nodiscard]] inline Floats broadcast(float value) {
#if defined(__AVX512F__)
  return _mm512_set1_ps(value);
#elif defined(__AVX__)
  return _mm256_set1_ps(value);
#else
  Floats values{};
  for (std::size_t i = 0; i < width; ++i) values[i] = value;
  return values;
#endif
}

#if !defined(__AVX512F__)
namespace detail {
// One of all elements: halves are combined until one is left.
template <class Combine>
[[nodiscard]] inline float fold(Floats values, Combine combine) {
  float lanes[width];
  store(lanes, values);
#pragma GCC unroll 8
  for (std::size_t half = width / 2; half > 0; half /= 2)
#pragma GCC unroll 8
    for (std::size_t i = 0; i < half; ++i) lanes[i] = combine(lanes[i], lanes[i + half]);
  return lanes[0];
}
}  // namespace detail
#endif

/// The sum of all elements.
[[nodiscard]] inline float sum(Floats values) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps(values);
#else
  return detail::fold(values, [](float a, float b) { return a + b; });
#endif
}

/// The largest of all elements; any of them where one is a NaN.
[[nodiscard]] inline float largest(Floats values) {
#if defined(__AVX512F__)
  return _mm512_reduce_max_ps(values);
#else
  return detail::fold(values, [](float a, float b) { return a < b ? b : a; });
#endif
}

/// True where whole vectors can be stored past the caches.
[[nodiscard]] inline bool can_stream(const float* to) {
#if defined(__AVX512F__) || defined(__AVX__)
  return reinterpret_cast<std::uintptr_t>(to) % vector_bytes == 0;
#else
  (void)to;
  return false;
#endif
}
/// A store past the caches, to memory that other cores read next: it need not first take the line away from
/// them. Only where can_stream(to). Others see it after fence_streams() and a synchronisation.
inline void stream(float* to, Floats values) {
#if defined(__AVX512F__)
  _mm512_stream_ps(to, values);
#elif defined(__AVX__)
  _mm256_stream_ps(to, values);
#else
  store(to, values);
#endif
}
/// to[i] = from[i], by such stores where possible.
inline void stream_copy(const float* from, std::size_t count, float* to) {
  std::size_t i = 0;
  for (; i < count && !can_stream(to + i); ++i) to[i] = from[i];
  for (; i + width <= count; i += width) stream(to + i, load(from + i));
  for (; i < count; ++i) to[i] = from[i];
}
inline void fence_streams() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

}  // namespace lockstep::simd
