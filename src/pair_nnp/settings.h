// The arguments of `pair_style nnp`, read into plain values.
#pragma once

#include <string>
#include <vector>

namespace nnpal {

struct Settings {
  std::string model_path;
  std::string device = "auto";       // auto | cpu | cuda | cuda:N
  std::string precision = "file";    // file | single | tf32 | double
  int n_members = 0;                 // 0: all
  int n_threads = 1;
  std::string neighbors = "auto";    // auto | list (LAMMPS's) | cells (found on the device)
};

// Throws std::invalid_argument that names the keyword, the value found and what is allowed.
Settings parse_settings(const std::vector<std::string> &arguments);

// The device of this rank: "cpu" or "cuda:N". `auto` and `cuda` share the node's devices out by the rank's
// place on its node. Throws std::invalid_argument when the machine has no such device.
std::string resolve_device(const std::string &asked, int n_devices, int rank_on_node);

}    // namespace nnpal
