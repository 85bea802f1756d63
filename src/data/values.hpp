// SPDX-License-Identifier: BSD-3-Clause
// Numbers of a data set, as they are stored: rows of one type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>

namespace lockstep::data {

enum class ValueType : std::uint8_t { uint8, int8, int16, int32, float32, float64 };

/// Calls `use` with a zero of the C++ type.
template <class Use>
decltype(auto) with_type(ValueType type, Use&& use) {
  switch (type) {
    case ValueType::uint8:
      return use(std::uint8_t{});
    case ValueType::int8:
      return use(std::int8_t{});
    case ValueType::int16:
      return use(std::int16_t{});
    case ValueType::int32:
      return use(std::int32_t{});
    case ValueType::float32:
      return use(float{});
    case ValueType::float64:
      break;
  }
  return use(double{});
}

/// Of one value.
[[nodiscard]] constexpr std::string_view name_of(ValueType type) {
  constexpr std::array<std::string_view, 6> names = {"uint8", "int8", "int16", "int32", "float32", "float64"};
  return names[static_cast<std::size_t>(type)];
}
[[nodiscard]] inline std::size_t bytes_of(ValueType type) {
  return with_type(type, [](auto zero) { return sizeof zero; });
}

/// Integers times this are at most 1; floating-point values are left as they are.
[[nodiscard]] inline float unit_scale(ValueType type) {
  return with_type(type, [](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_floating_point_v<T>) return 1.0F;
    return 1.0F / static_cast<float>(std::numeric_limits<T>::max());
  });
}

/// Bytes as the values of type T that they are.
template <class T>
[[nodiscard]] std::span<T> values_of(std::span<std::byte> bytes) {
  return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
}
template <class T>
[[nodiscard]] std::span<const T> values_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
}

/// Values of all samples in memory that the caller owns, aligned for their type: sample i has
/// [i * width, (i + 1) * width).
struct Values {
  ValueType type = ValueType::uint8;
  std::size_t width = 1;
  std::span<const std::byte> bytes;
};

}  // namespace lockstep::data
