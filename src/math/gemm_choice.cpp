// SPDX-License-Identifier: BSD-3-Clause
// Writing and reading choices.
#include "math/gemm_choice.hpp"

#include <charconv>

#include "core/error.hpp"

namespace lockstep::math {
namespace {

constexpr std::string_view between_choices = "; ";
constexpr std::string_view before_backend = ": ";

std::optional<Op> parse_op(char letter) {
  if (letter == 'N') return Op::none;
  if (letter == 'T') return Op::transpose;
  return std::nullopt;
}

Error bad_choice(std::string_view text) {
  return Error({.what = "bad choice of a GEMM backend",
                .expected = "such as 'TN 784x256x64: tiled'",
                .got = std::string(text)});
}

}  // namespace

std::string ops_text(const GemmShape& shape) {
  const auto letter = [](Op op) { return op == Op::none ? 'N' : 'T'; };
  return {letter(shape.op_a), letter(shape.op_b)};
}

std::string sizes_text(const GemmShape& shape) {
  return std::to_string(shape.m) + "x" + std::to_string(shape.n) + "x" + std::to_string(shape.k);
}

std::string to_text(const GemmShape& shape) { return ops_text(shape) + " " + sizes_text(shape); }

std::optional<GemmShape> parse_shape(std::string_view text) {
  if (text.size() < 3 || text[2] != ' ') return std::nullopt;
  const auto op_a = parse_op(text[0]);
  const auto op_b = parse_op(text[1]);
  if (!op_a || !op_b) return std::nullopt;
  std::size_t sizes[3] = {};
  const char* at = text.data() + 3;
  const char* const end = text.data() + text.size();
  for (std::size_t i = 0; i < 3; ++i) {
    if (i > 0 && (at == end || *at++ != 'x')) return std::nullopt;
    const auto [next, failure] = std::from_chars(at, end, sizes[i]);
    if (failure != std::errc{}) return std::nullopt;
    at = next;
  }
  if (at != end) return std::nullopt;
  return GemmShape{*op_a, *op_b, sizes[0], sizes[1], sizes[2]};
}

std::string to_text(std::span<const GemmChoice> choices) {
  std::string text;
  for (const GemmChoice& choice : choices) {
    if (!text.empty()) text += between_choices;
    text += to_text(choice.shape);
    text += before_backend;
    text += choice.backend;
  }
  return text;
}

std::vector<GemmChoice> parse_choices(std::string_view text) {
  std::vector<GemmChoice> choices;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(between_choices));
    text.remove_prefix(std::min(text.size(), one.size() + between_choices.size()));
    const std::size_t colon = one.find(before_backend);
    if (colon == std::string_view::npos) throw bad_choice(one);
    const auto shape = parse_shape(one.substr(0, colon));
    if (!shape) throw bad_choice(one);
    choices.push_back({*shape, std::string(one.substr(colon + before_backend.size()))});
  }
  return choices;
}

}  // namespace lockstep::math
