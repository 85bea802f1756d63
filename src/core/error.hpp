// SPDX-License-Identifier: BSD-3-Clause
// The one exception type: what failed, what was expected, what was found, and what to do about it.
#pragma once

#include <stdexcept>
#include <string>

namespace lockstep {

/// The parts of an error message. Only `what` is required.
struct ErrorParts {
  std::string what;
  std::string expected = {};
  std::string got = {};
  std::string hint = {};
};

/// A failure that the caller, the machine or the input is responsible for (broken invariants assert instead).
class Error : public std::runtime_error {
 public:
  explicit Error(const ErrorParts& parts);
};

/// An error in the configuration or the command line: found on one rank on behalf of all, before any work.
class ConfigError : public Error {
 public:
  using Error::Error;
};

/// What `body` returns. Puts `where` before the message of a ConfigError that it throws.
template <class Body>
auto in_context(const std::string& where, Body body) {
  try {
    return body();
  } catch (const ConfigError& error) {
    throw ConfigError({.what = where + ": " + error.what()});
  }
}

/// A failure that all ranks know of, and throw at the same place: no rank has to end the others.
class AgreedError : public Error {
 public:
  using Error::Error;
};

}  // namespace lockstep
