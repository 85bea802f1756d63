// SPDX-License-Identifier: BSD-3-Clause
// Reading what goes wrong, and drawing it.
#include "simulate/trouble.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/random.hpp"
#include "core/text.hpp"
#include "simulate/quantities.hpp"

namespace lockstep::simulate {
namespace {

std::optional<std::size_t> number_of(std::string_view text) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// One value of what `describe` describes for each key of an object.
template <class Item>
std::vector<Item> read_items(const Json& given, const char* kind) {
  std::vector<Item> items;
  for (const auto& [nodes, values] : given.items()) {
    in_context(fmt::format("{}.{}", kind, nodes), [&, &key = nodes, &of_key = values] {
      Item item{.nodes = NodeNames(key)};
      if (!of_key.is_object()) throw ConfigError({"bad value", "a JSON object", of_key.dump()});
      Options options;
      item.describe(options);
      options.set(of_key, "key");
      item.check();
      items.push_back(std::move(item));
    });
  }
  return items;
}

template <class Item>
Json values_of(std::vector<Item> items) {
  Json values = Json::object();
  for (Item& item : items) {
    Options options;
    item.describe(options);
    values[item.nodes.text()] = options.values();
  }
  return values;
}

// Whether attempt `attempt` to send message `number` of core `from` is lost at one of its ends.
bool is_lost(double loss, std::uint32_t seed, std::size_t from, std::uint32_t number, std::uint32_t attempt) {
  std::array<float, 1> u{};
  RandomRows(seed, Purpose::simulated_loss).uniform(static_cast<std::uint32_t>(from), number, attempt, u);
  return static_cast<double>(u[0]) < loss;
}

}  // namespace

NodeNames::NodeNames(std::string text) : text_(std::move(text)) {
  if (text_ == "all") {
    ranges_ = {{0, std::numeric_limits<std::size_t>::max()}};
    return;
  }
  const std::vector<std::string> parts = split(text_, ',');
  bool is_good = !parts.empty() && !text_.ends_with(',');
  for (const std::string& part : parts) {
    const auto dash = part.find('-');
    const auto first = number_of(std::string_view(part).substr(0, dash));
    const auto last = dash == part.npos ? first : number_of(std::string_view(part).substr(dash + 1));
    is_good = is_good && first && last && *first <= *last;
    if (is_good) ranges_.emplace_back(*first, *last);
  }
  if (!is_good)
    throw ConfigError(
        {"bad names of nodes", "numbers, the first is 0: '3', '0-3,8', or 'all'", "'" + text_ + "'"});
}

bool NodeNames::contains(std::size_t node) const {
  return std::ranges::any_of(
      ranges_, [node](const auto& range) { return range.first <= node && node <= range.second; });
}

void Period::describe(Options& options) {
  add_seconds(options, "from_s", &from_s, "simulated second at which it begins");
  add_seconds(options, "for_s", &for_s, "how long it lasts; 0: to the end");
  add_seconds(options, "every_s", &every_s, "from one beginning to the next; 0: it comes once");
}

void Period::check() const {
  if (every_s > 0.0 && (for_s == 0.0 || for_s >= every_s))
    throw ConfigError({"bad value for for_s", fmt::format("above 0 and below every_s, {:g}", every_s),
                       fmt::format("{:g}", for_s)});
}

bool Period::is_active(double now_s) const {
  if (now_s < from_s) return false;
  const double since_s = every_s > 0.0 ? std::fmod(now_s - from_s, every_s) : now_s - from_s;
  return for_s == 0.0 || since_s < for_s;
}

void Noise::describe(Options& options) {
  options.add("distribution", &distribution, "of how much longer work takes")
      .one_of({"exponential", "lognormal"});
  options.add("mean", &mean, "its mean: 0.1 is 10% longer").at_least(0).at_most(largest_ratio);
  if (distribution == "lognormal") add_ratio(options, "cv", &cv, "its standard deviation over its mean");
  add_seconds(options, "period_s", &period_s, "how long each core keeps what it drew").at_least(1e-6);
}

void SlowNode::describe(Options& options) {
  add_ratio(options, "speed", &speed, "of each core, in those that it has without");
  period.describe(options);
}

void SlowNode::check() const { period.check(); }

void BadLink::describe(Options& options) {
  add_ratio(options, "bandwidth", &bandwidth, "of the cable, in those that it has without");
  add_seconds(options, "extra_s", &extra_s, "latency of every message beyond the usual");
  options.add("loss", &loss, "probability that a message is lost").at_least(0).at_most(most_lost);
  add_seconds(options, "retransmit_s", &retransmit_s, "until a lost message is sent again");
  period.describe(options);
}

void BadLink::check() const {
  period.check();
  if (loss > 0.0 && retransmit_s == 0.0)
    throw ConfigError(
        {.what = "no value for retransmit_s", .hint = "a lost message is sent again, and this late"});
}

void Trouble::read(const Json& given) {
  Json noise_given = Json::object(), nodes_given = Json::object(), links_given = Json::object();
  Options options;
  options.add("seed", &seed, "");
  options.add("noise", &noise_given, "");
  options.add("nodes", &nodes_given, "");
  options.add("links", &links_given, "");
  if (!given.is_object()) throw ConfigError({"bad value for trouble", "a JSON object", given.dump()});
  options.set(given, "key");
  for (const Json* part : {&noise_given, &nodes_given, &links_given})
    if (!part->is_object()) throw ConfigError({"bad value for trouble", "JSON objects in it", part->dump()});
  in_context("noise", [&] {
    // First the distribution, which has keys of its own.
    Options first;
    noise.describe(first);
    if (noise_given.contains("distribution")) first.find("distribution")->set(noise_given.at("distribution"));
    Options all;
    noise.describe(all);
    all.set(noise_given, "key of " + noise.distribution + " noise");
    if (!noise_given.empty() && !noise_given.contains("mean"))
      throw ConfigError({.what = "no value for mean"});
  });
  nodes = read_items<SlowNode>(nodes_given, "nodes");
  links = read_items<BadLink>(links_given, "links");
}

Json Trouble::values() const {
  Json values = {{"seed", seed}};
  Noise copy = noise;
  Options options;
  copy.describe(options);
  if (noise.mean > 0.0) values["noise"] = options.values();
  if (!nodes.empty()) values["nodes"] = values_of(nodes);
  if (!links.empty()) values["links"] = values_of(links);
  return values;
}

double Trouble::delay_s(std::size_t from_node, std::size_t to_node, std::size_t from, std::uint32_t number,
                        double now_s) const {
  double delay_s = 0.0;
  std::uint32_t attempt = 0;
  for (const BadLink& link : links)
    for (const std::size_t node : {from_node, to_node}) {
      if (!link.nodes.contains(node) || !link.period.is_active(now_s)) continue;
      delay_s += link.extra_s;
      while (is_lost(link.loss, seed, from, number, attempt++)) delay_s += link.retransmit_s;
    }
  return delay_s;
}

bool Trouble::delays_messages() const {
  return std::ranges::any_of(links, [](const BadLink& l) { return l.extra_s > 0.0 || l.loss > 0.0; });
}

}  // namespace lockstep::simulate
