// SPDX-License-Identifier: BSD-3-Clause
// nlohmann_json's parser, with a watch on the keys of each object.
#include "core/json_text.hpp"

#include <cerrno>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <set>
#include <system_error>
#include <vector>

#include "core/error.hpp"
#include "core/json.hpp"

namespace lockstep {
namespace {

constexpr int deepest = 100;

// "[json.exception.parse_error.101] parse error at line 3, column 7: ..." from "line" on, or without "[...]
// ".
std::string place_and_reason(std::string_view message) {
  if (const auto line = message.find("line "); line != message.npos) return std::string(message.substr(line));
  const auto bracket = message.find("] ");
  return std::string(bracket == message.npos ? message : message.substr(bracket + 2));
}

std::string advice(const std::string& reason) {
  if (reason.find("unexpected '}'") != reason.npos || reason.find("unexpected ']'") != reason.npos)
    return "JSON takes no comma before } or ]";
  if (reason.find("unexpected string literal") != reason.npos) return "is there a comma missing before it?";
  if (reason.find("unexpected end of input") != reason.npos) return "is there a } or ] missing?";
  return "";
}

// Follows the parser. Throws ConfigError.
class Watch {
 public:
  bool operator()(int depth, Json::parse_event_t event, const Json& value) {
    using Event = Json::parse_event_t;
    if (depth >= deepest && (event == Event::object_start || event == Event::array_start))
      throw ConfigError({.what = "objects and lists are nested too deeply",
                         .expected = "at most " + std::to_string(deepest) + " levels"});
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end) keys_.pop_back();
    if (event == Event::key) {
      key_ = value.get<std::string>();
      if (!keys_.back().insert(key_).second)
        throw ConfigError({"the key '" + key_ + "' is given twice in one object"});
    }
    return true;
  }
  /// The last one that was read.
  [[nodiscard]] const std::string& key() const { return key_; }

 private:
  std::vector<std::set<std::string>> keys_;  // of the objects that are open
  std::string key_;
};

}  // namespace

Json parse_json(std::string_view text) {
  Watch watch;
  try {
    return Json::parse(
        text,
        [&watch](int depth, Json::parse_event_t event, Json& value) { return watch(depth, event, value); },
        /*allow_exceptions=*/true, /*ignore_comments=*/true);
  } catch (const Json::out_of_range& failure) {
    throw ConfigError({watch.key().empty() ? "bad number" : "bad value for " + watch.key(),
                       "a number within the range of doubles", place_and_reason(failure.what())});
  } catch (const Json::exception& failure) {
    const std::string reason = place_and_reason(failure.what());
    throw ConfigError({.what = "not JSON", .got = reason, .hint = advice(reason)});
  }
}

Json read_json_file(const std::filesystem::path& path) {
  std::error_code unseen;
  const bool is_folder = std::filesystem::is_directory(path, unseen);
  std::ifstream file(path);
  if (!file || is_folder)
    throw ConfigError({.what = "cannot read " + path.string(),
                       .got = is_folder ? "a folder" : std::generic_category().message(errno)});
  const std::string text(std::istreambuf_iterator<char>(file), {});
  return in_context(path.string(), [&] { return parse_json(text); });
}

std::size_t count_of(const Json& value) {
  const bool is_count =
      value.is_number_unsigned() || (value.is_number_integer() && value.get<std::int64_t>() >= 0);
  if (!is_count)
    throw Error({"a number in a file is no count", "a whole number, at least 0", to_text(value)});
  return value.get<std::size_t>();
}

std::string to_text(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace lockstep
