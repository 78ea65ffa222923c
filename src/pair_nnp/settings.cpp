#include "settings.h"

#include <charconv>
#include <set>
#include <stdexcept>

namespace nnpal {
namespace {

constexpr char kBuildForCUDA[] = "build nnpal where nvcc is found (docs/install.md, GPUs)";
constexpr char kUsage[] =
    "; usage: pair_style nnp MODEL [device auto|cpu|cuda|cuda:N] [precision single|tf32|double] [members "
    "all|K] [threads N] [neighbors auto|list|cells] [self_energies yes|no]";

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
        keyword != "neighbors" && keyword != "self_energies")
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
    } else if (keyword == "self_energies") {
      if (value != "yes" && value != "no") refuse("self_energies is '" + value + "', expected yes or no");
      settings.self_energies = value == "yes";
    } else if (keyword == "members") {
      settings.n_members = value == "all" ? 0 : positive(keyword, value);
    } else {
      settings.n_threads = positive(keyword, value);
    }
  }
  return settings;
}

std::string resolve_device(const std::string &asked, const GPUs &gpus, int rank_on_node)
{
  if (asked == "cpu" || (asked == "auto" && (gpus.n == 0 || !gpus.can_run_model))) return "cpu";
  if (gpus.n == 0)
    throw std::invalid_argument("device is '" + asked +
                                "', but this libtorch finds no CUDA device; use device cpu or auto, or see "
                                "`nnpal doctor`");
  if (!gpus.can_run_model)
    throw std::invalid_argument("device is '" + asked +
                                "', but its kernel is 'fused' and nnpal was built for CPUs only; use device "
                                "cpu or auto, " +
                                kBuildForCUDA + ", or export the model with kernel='torchani'");
  const int index = asked.rfind("cuda:", 0) == 0 ? number_in(asked.substr(5)) : rank_on_node % gpus.n;
  if (index >= gpus.n)
    throw std::invalid_argument("device is '" + asked + "', but this node has " + std::to_string(gpus.n) +
                                " CUDA device(s), numbered from 0");
  return "cuda:" + std::to_string(index);
}

bool model_finds_neighbors(const std::string &asked, bool on_gpu, bool operations_run_there,
                           const std::string &taker)
{
  if (asked == "list" || (asked == "auto" && !on_gpu)) return false;
  if (asked == "cells" && !operations_run_there)
    throw std::invalid_argument(
        std::string(
            "neighbors is cells, but nnpal was built for CPUs only; use neighbors auto or list, or ") +
        kBuildForCUDA);
  if (asked == "cells" && !taker.empty())
    throw std::invalid_argument("neighbors is cells, but " + taker +
                                " needs LAMMPS's neighbor list; use neighbors auto or list");
  return operations_run_there && taker.empty();
}

}    // namespace nnpal
