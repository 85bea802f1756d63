// SPDX-License-Identifier: BSD-3-Clause
// The state of a training, listed once: what a checkpoint saves and restores.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace lockstep::algorithms {

/// How equally long arrays are distributed over the ranks.
struct Distribution {
  enum class Kind {
    replicated,  ///< every rank has the same values
    sharded,     ///< only this rank's slices are valid; the ranks' slices together make up the array
    local,       ///< each rank has values of its own
  };
  /// Values that are sharded, such as a layer's parameters, and this rank's slice of them.
  struct Block {
    std::size_t begin = 0, count = 0;
    std::size_t part_begin = 0, part_count = 0;
  };
  Kind kind = Kind::replicated;
  std::vector<Block> blocks = {};  ///< of `sharded`: of the whole array, in order

  /// How many of `length` values this rank holds.
  [[nodiscard]] std::size_t held(std::size_t length) const;
};

/// An array of the state.
struct StateArray {
  std::string name;
  std::span<float> values;  ///< for a sharded array this rank's slice
  Distribution::Kind kind = Distribution::Kind::replicated;
  std::size_t begin = 0;   ///< of the slice
  std::size_t length = 0;  ///< of the whole array, or of the block that is sharded
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
/// are listed in describe(Options&); the one list serves saving and restoring. The same names in the same
/// order on all ranks.
class State {
 public:
  /// A sharded array becomes one array a block: NAME.0, NAME.1, ...
  void add(const std::string& name, std::span<float> values, const Distribution& distribution);
  /// The same for memory that holds this rank's slices alone, one after another.
  void add_held(const std::string& name, std::span<float> values, const Distribution& distribution);
  void add(std::string name, double* place) { numbers_.push_back({std::move(name), place}); }
  void add(std::string name, std::size_t* place) { numbers_.push_back({std::move(name), place}); }

  [[nodiscard]] const std::vector<StateArray>& arrays() const { return arrays_; }
  [[nodiscard]] const std::vector<StateNumber>& numbers() const { return numbers_; }

 private:
  std::vector<StateArray> arrays_;
  std::vector<StateNumber> numbers_;
};

}  // namespace lockstep::algorithms
