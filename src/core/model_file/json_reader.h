// Read values of a JSON text, and refuse unexpected types.
#pragma once

#include "json.h"    // nlohmann's, as LAMMPS ships it: headers alone

#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace nnpal {

using Json = LAMMPS_NS::json;

// nlohmann's reader converts true, non-integers and numbers that are too large to some integer.
template <typename T> struct JsonReader {
  static T read(const Json &json) { return json.get<T>(); }
};

template <> struct JsonReader<double> {
  static double read(const Json &json)
  {
    if (!json.is_number() || !std::isfinite(json.get<double>())) throw std::invalid_argument("no number");
    return json.get<double>();
  }
};

template <> struct JsonReader<std::int64_t> {
  static std::int64_t read(const Json &json)
  {
    constexpr auto largest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (!json.is_number_integer() || (json.is_number_unsigned() && json.get<std::uint64_t>() > largest))
      throw std::invalid_argument("no integer");
    return json.get<std::int64_t>();
  }
};

template <> struct JsonReader<int> {
  static int read(const Json &json)
  {
    const std::int64_t value = JsonReader<std::int64_t>::read(json);
    if (value != static_cast<int>(value)) throw std::invalid_argument("too large");
    return static_cast<int>(value);
  }
};

template <typename T> struct JsonReader<std::vector<T>> {
  static std::vector<T> read(const Json &json)
  {
    if (!json.is_array()) throw std::invalid_argument("no list");
    std::vector<T> values;
    for (const auto &item : json) values.push_back(JsonReader<T>::read(item));
    return values;
  }
};

// Parse the whole text; null if it is not JSON, or is nested more deeply than Python's reader accepts.
inline Json parse_json(const std::string &text)
{
  constexpr int kDeepest = 1000;
  bool is_too_deep = false;
  const auto keep = [&](int depth, Json::parse_event_t, Json &) {
    if (depth > kDeepest) is_too_deep = true;
    return depth <= kDeepest;
  };
  Json json = Json::parse(text, keep, false);
  return is_too_deep || json.is_discarded() ? Json() : json;
}

}    // namespace nnpal
