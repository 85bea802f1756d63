// SPDX-License-Identifier: BSD-3-Clause
// Views of row-major matrices of floats.
#pragma once

#include <cassert>
#include <cstddef>
#include <span>

namespace lockstep::math {

/// A row-major matrix in memory that the caller owns: element (i, j) is data[i * stride + j].
template <class T>
struct BasicMatrixView {
  T* data = nullptr;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t stride = 0;

  BasicMatrixView() = default;
  BasicMatrixView(T* d, std::size_t r, std::size_t c) : data(d), rows(r), cols(c), stride(c) {}
  BasicMatrixView(T* d, std::size_t r, std::size_t c, std::size_t s) : data(d), rows(r), cols(c), stride(s) {}

  [[nodiscard]] bool empty() const { return data == nullptr; }
  [[nodiscard]] std::size_t size() const { return rows * cols; }
  [[nodiscard]] std::span<T> row(std::size_t i) const { return {data + i * stride, cols}; }
  /// All elements; only for views without gaps between rows.
  [[nodiscard]] std::span<T> elements() const {
    assert(stride == cols || rows <= 1);
    return {data, size()};
  }
  // NOLINTNEXTLINE(google-explicit-constructor): a mutable view serves wherever a const one does.
  operator BasicMatrixView<const T>() const { return {data, rows, cols, stride}; }
};

using Matrix = BasicMatrixView<float>;
using ConstMatrix = BasicMatrixView<const float>;

}  // namespace lockstep::math
