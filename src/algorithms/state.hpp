// SPDX-License-Identifier: BSD-3-Clause
// The state of a training, listed once: what a checkpoint saves and restores.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace lockstep::algorithms {

/// How the ranks hold an array of which each has one as long as the others'.
struct Holding {
  enum class Kind {
    common,   ///< every rank has the same values
    divided,  ///< the values [begin, begin + count) of this rank's are the valid ones; together all are
    own,      ///< each rank has values of its own
  };
  Kind kind = Kind::common;
  std::size_t begin = 0, count = 0;  ///< of `divided`
};

/// An array of the state.
struct StateArray {
  std::string name;
  std::span<float> values;  ///< for a divided array this rank's part
  Holding::Kind kind = Holding::Kind::common;
  std::size_t begin = 0;   ///< of the part
  std::size_t length = 0;  ///< of the whole array
};

/// A number of the state; each rank has its own.
struct StateNumber {
  std::string name;
  std::variant<double*, std::size_t*> place;

  /// As a double: counts are exact up to 2^53.
  [[nodiscard]] double value() const;
  void set(double value) const;
};

/// The places that hold a training's state. Whoever holds some lists it in describe_state(State&), as options
/// are listed in describe(Fields&); the one list serves saving and restoring. The same names in the same
/// order on all ranks.
class State {
 public:
  void add(std::string name, std::span<float> values, const Holding& holding);
  void add(std::string name, double* place) { numbers_.push_back({std::move(name), place}); }
  void add(std::string name, std::size_t* place) { numbers_.push_back({std::move(name), place}); }

  [[nodiscard]] const std::vector<StateArray>& arrays() const { return arrays_; }
  [[nodiscard]] const std::vector<StateNumber>& numbers() const { return numbers_; }

 private:
  std::vector<StateArray> arrays_;
  std::vector<StateNumber> numbers_;
};

}  // namespace lockstep::algorithms
