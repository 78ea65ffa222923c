#include "settings.h"

#include <charconv>
#include <set>
#include <stdexcept>

namespace nnpal {
namespace {

constexpr char kUsage[] =
    "; usage: pair_style nnp MODEL [device auto|cpu|cuda|cuda:N] [precision single|tf32|double] [members "
    "all|K] [threads N] [neighbors auto|list|cells]";

[[noreturn]] void refuse(const std::string &what)
{
  throw std::invalid_argument(what + kUsage);
}

// The whole text as a decimal number, or -1.
int number_in(const std::string &text)
{
  int value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 0 ? value : -1;
}

int positive(const std::string &keyword, const std::string &value)
{
  const int number = number_in(value);
  if (number < 1) refuse(keyword + " is '" + value + "', expected a positive integer");
  return number;
}

bool is_device(const std::string &value)
{
  return value == "auto" || value == "cpu" || value == "cuda" ||
         (value.rfind("cuda:", 0) == 0 && number_in(value.substr(5)) >= 0);
}

}    // namespace

Settings parse_settings(const std::vector<std::string> &arguments)
{
  if (arguments.empty()) refuse("the model file is missing");
  Settings settings;
  settings.model_path = arguments[0];
  std::set<std::string> seen;
  for (std::size_t i = 1; i < arguments.size(); i += 2) {
    const std::string &keyword = arguments[i];
    if (keyword != "device" && keyword != "precision" && keyword != "members" && keyword != "threads" &&
        keyword != "neighbors")
      refuse("unknown keyword '" + keyword + "'");
    if (!seen.insert(keyword).second) refuse("keyword '" + keyword + "' is given twice");
    if (i + 1 == arguments.size()) refuse("keyword '" + keyword + "' has no value");
    const std::string &value = arguments[i + 1];
    if (keyword == "device") {
      if (!is_device(value)) refuse("device is '" + value + "', expected auto, cpu, cuda or cuda:N");
      settings.device = value;
    } else if (keyword == "precision") {
      if (value != "single" && value != "tf32" && value != "double")
        refuse("precision is '" + value + "', expected single, tf32 or double");
      settings.precision = value;
    } else if (keyword == "neighbors") {
      if (value != "auto" && value != "list" && value != "cells")
        refuse("neighbors is '" + value + "', expected auto, list or cells");
      settings.neighbors = value;
    } else if (keyword == "members") {
      settings.n_members = value == "all" ? 0 : positive(keyword, value);
    } else {
      settings.n_threads = positive(keyword, value);
    }
  }
  return settings;
}

std::string resolve_device(const std::string &asked, int n_devices, int rank_on_node)
{
  if (asked == "cpu" || (asked == "auto" && n_devices == 0)) return "cpu";
  if (n_devices == 0)
    throw std::invalid_argument("device is '" + asked +
                                "', but this libtorch finds no CUDA device; use device cpu or auto, or see "
                                "`nnpal doctor`");
  const int index = asked.rfind("cuda:", 0) == 0 ? number_in(asked.substr(5)) : rank_on_node % n_devices;
  if (index >= n_devices)
    throw std::invalid_argument("device is '" + asked + "', but this node has " + std::to_string(n_devices) +
                                " CUDA device(s), numbered from 0");
  return "cuda:" + std::to_string(index);
}

}    // namespace nnpal
