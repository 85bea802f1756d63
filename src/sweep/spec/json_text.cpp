// SPDX-License-Identifier: BSD-3-Clause
// nlohmann_json's parser, with a watch on the keys of each object.
#include "sweep/spec/json_text.hpp"

#include <set>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/json.hpp"

namespace lockstep::sweep {
namespace {

// "[json.exception.parse_error.101] parse error at line 3, column 7: ..." from "line" on.
std::string place_and_reason(std::string_view message) {
  const auto line = message.find("line ");
  return std::string(line == message.npos ? message : message.substr(line));
}

std::string advice(const std::string& reason) {
  if (reason.find("unexpected '}'") != reason.npos || reason.find("unexpected ']'") != reason.npos)
    return "JSON takes no comma before } or ]";
  if (reason.find("unexpected string literal") != reason.npos) return "is there a comma missing before it?";
  if (reason.find("unexpected end of input") != reason.npos) return "is there a } or ] missing?";
  return "";
}

}  // namespace

Json parse_json(const std::string& text) {
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const auto watch = [&keys](int, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second)
      throw ConfigError({"the key '" + value.get<std::string>() + "' is given twice in one object"});
    return true;
  };
  try {
    return Json::parse(text, watch, /*allow_exceptions=*/true, /*ignore_comments=*/true);
  } catch (const Json::parse_error& failure) {
    const std::string reason = place_and_reason(failure.what());
    throw ConfigError({.what = "not JSON", .got = reason, .hint = advice(reason)});
  }
}

std::string typed(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

}  // namespace lockstep::sweep
