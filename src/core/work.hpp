// SPDX-License-Identifier: BSD-3-Clause
// What computing costs: declared where it is done, for whoever keeps account of it.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

namespace lockstep {

/// Floating-point operations, and bytes of the arrays that are read or written, each counted once.
struct Cost {
  double flop = 0.0, bytes = 0.0;
};

/// A piece of computing. The time that it takes is a function of the kernel and the count.
struct Work {
  std::string kernel;     ///< "linear 784>256 forward", "add"
  std::size_t count = 0;  ///< rows of a batch, or elements of an array
  Cost cost = {};
  double share = 1.0;  ///< of the kernel at this count, when a rank does a part of it
};

/// A pass over arrays of so many floats, of which `arrays` are read or written.
[[nodiscard]] inline Work array_work(std::string kernel, std::size_t floats, double arrays,
                                     double flop = 1.0) {
  const auto count = static_cast<double>(floats);
  return {.kernel = std::move(kernel),
          .count = floats,
          .cost = {.flop = flop * count, .bytes = arrays * sizeof(float) * count}};
}

/// What lies in memory that a node's ranks share is copied and added more slowly than private memory.
inline constexpr const char* node_copy = "copy to or from a node's memory";
inline constexpr const char* node_add = "add from a node's memory";

/// Keeps account of the work of the ranks in this process.
class WorkMeter {
 public:
  virtual ~WorkMeter() = default;
  /// Before the work. False: its arithmetic is to be left out.
  [[nodiscard]] virtual bool begin(const Work& work) = 0;
  /// After it.
  virtual void end() = 0;
};

/// Nobody keeps account while it is nullptr. Set before any rank starts.
inline WorkMeter* work_meter = nullptr;

/// A scope in which a piece of work is done, unless it is to be left out:
///     if (const Working working([&] { return Work{...}; })) ...
class Working {
 public:
  /// `describe` returns the Work; it is called only if somebody keeps account.
  template <class Describe>
  explicit Working(Describe describe) : meter_(work_meter) {
    if (meter_ != nullptr) is_done_ = meter_->begin(describe());
  }
  ~Working() {
    if (meter_ != nullptr) meter_->end();
  }
  Working(const Working&) = delete;
  Working& operator=(const Working&) = delete;

  explicit operator bool() const { return is_done_; }

 private:
  WorkMeter* meter_;
  bool is_done_ = true;
};

}  // namespace lockstep
