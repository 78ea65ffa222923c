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
  bool self_energies = true;         // whether energies include the elements' self-energies
};

// Throws std::invalid_argument that names the keyword, the value found and what is allowed.
Settings parse_settings(const std::vector<std::string> &arguments);

// The GPUs of this node, and whether they can run the model.
struct GPUs {
  int n = 0;                    // that libtorch can use
  bool can_run_model = true;    // false: it calls nnpal's operations, and these were not compiled for CUDA
};

// The device of this rank: "cpu" or "cuda:N". `auto` and `cuda` distribute the node's devices by the rank's
// index on its node. Throws std::invalid_argument if the machine has no such device.
std::string resolve_device(const std::string &asked, const GPUs &gpus, int rank_on_node);

// Whether the model finds its neighbors by nnpal's operations instead of using LAMMPS's list. `taker`:
// command that removes pairs from that list, or "". Throws std::invalid_argument if `cells` is impossible.
bool model_finds_neighbors(const std::string &asked, bool on_gpu, bool operations_run_there,
                           const std::string &taker);

}    // namespace nnpal
