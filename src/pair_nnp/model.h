// A loaded model file, ready to evaluate. Knows nothing of LAMMPS; libtorch stays behind the pointer.
#pragma once

#include "model_file/metadata.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nnpal {

// Some centers with the edges that their energies depend on: their own and, where messages pass over several
// hops, those of all atoms within hops - 1 neighbor steps. An edge points from a center to a neighbor closer
// than the cutoff.
struct Tile {
  int n_centers = 0;                     // whose energies are wanted
  std::vector<std::int64_t> species;     // [n_atoms] element index, those centers first
  std::vector<std::int64_t> center;      // [n_edges] index into species, ascending
  std::vector<std::int64_t> neighbor;    // [n_edges] index into species
  std::vector<double> edge_vec;          // [n_edges * 3] r_neighbor - r_center, Å

  int n_atoms() const { return static_cast<int>(species.size()); }
  int n_edges() const { return static_cast<int>(center.size()); }
  void clear();
};

// Energies exclude self-energies. Gradients are with respect to edge_vec.
struct TileResult {
  std::vector<double> energies;           // [n_members * n_centers] eV
  std::vector<double> gradient;           // [n_edges * 3] of the members' mean energy, eV/Å
  std::vector<double> member_gradient;    // [n_members * n_edges * 3], when asked for, eV/Å
};

// Charges that do not add up to 0 yet, and weights by which all atoms share the excess:
//   Q_i = q_i - (w_i / sum_j w_j) sum_j q_j
struct TileCharges {
  std::vector<double> raw;        // [n_centers] q_i, e
  std::vector<double> weights;    // [n_centers] w_i
};

// The first atom of the tile with a NaN or infinite energy, or an edge with such a gradient; -1 when all are
// finite.
int first_non_finite_atom(const Tile &tile, const TileResult &result);

// All atoms of a rank, local ones first, for evaluation without a neighbor list.
struct Positions {
  int n_local = 0, n_atoms = 0;
  const double *x = nullptr;           // [n_atoms * 3] Å
  const int *type = nullptr;           // [n_atoms]
  std::vector<int> element_of_type;    // element index, from type 0 on
};

struct Wanted {
  bool energies = false, uq_energy = false;    // of each atom
  bool member_forces = false, virials = false;
  double pair_closer_than = 0.0;    // Å; which atoms are closest is found out where they are closer than this
};

// Energies exclude self-energies. Arrays belong to the model and last until it evaluates again; null where
// not asked for.
struct PositionsResult {
  std::vector<double> member_energies;      // [n_members] sum over local atoms, eV
  const double *forces = nullptr;           // [n_atoms * 3] of the members' mean, ghosts too, eV/Å
  const double *member_forces = nullptr;    // [n_members * n_atoms * 3]
  const double *energies = nullptr;         // [n_local] mean of the members, eV
  const double *uq_energy = nullptr;        // [n_local] eV
  const double *virials = nullptr;          // [n_atoms * 9] Σ over edges to the atom of vec (x) force, eV
  double virial[9] = {};                    // sum of these
  double closest = 0.0;                     // Å; the shortest edge, infinite if there is none ...
  int closest_pair[2] = {-1, -1};           // ... and its atoms, where asked for
  bool forces_are_finite = true;            // not only of local atoms; false too where their sum overflows
  int non_finite = -1;                      // first local atom whose energy is NaN or infinite, or -1
};

struct ModelOptions {
  std::string device = "cpu";    // "cpu" or "cuda:N", resolved
  enum class Precision { kOfFile, kSingle, kTF32, kDouble } precision = Precision::kOfFile;
  int n_members = 0;    // the first so many members; 0 means all
  int n_threads = 1;    // intra-op threads of libtorch while evaluating
};

class Model {
public:
  // `archive` is the whole file, its checksums already verified. Evaluates the file's reference
  // configuration and throws std::runtime_error, in words for the user, if anything is amiss.
  Model(const std::string &archive, Metadata metadata, const ModelOptions &options);
  ~Model();
  Model(const Model &) = delete;
  Model &operator=(const Model &) = delete;

  const Metadata &metadata() const { return metadata_; }
  int n_members() const { return n_members_; }
  bool is_double() const { return is_double_; }
  bool is_on_gpu() const;
  bool operations_run_there() const;    // whether torch.ops.nnpal was compiled for the model's device
  const std::vector<double> &self_energies() const { return self_energies_; }    // [n_elements] eV
  int hops() const { return metadata_.hops; }
  int centers_per_tile() const;    // of a model of one hop
  int edges_per_tile() const;      // of a model that passes messages

  // Throws std::runtime_error when libtorch fails (out of memory, say).
  void evaluate(const Tile &tile, bool with_member_gradients, TileResult &result);
  // Of a model that has charges; throws as above.
  void evaluate_charges(const Tile &tile, TileCharges &result);
  // The same numbers from positions alone: neighbors are found, and forces summed up, on the model's device.
  void evaluate(const Positions &positions, const Wanted &wanted, PositionsResult &result);

  struct Impl;    // model_impl.h

private:
  std::unique_ptr<Impl> impl_;
  Metadata metadata_;
  int n_members_ = 0;
  bool is_double_ = false;
  std::vector<double> self_energies_;

  void check_reference(bool with_gradient);
  void check_reference_charges();
};

// Number of CUDA devices that libtorch can use; 0 for a CPU build.
int cuda_device_count();

// Whether torch.ops.nnpal was compiled for CUDA.
bool operations_include_cuda();

}    // namespace nnpal
