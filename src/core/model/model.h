// A loaded model file, ready to evaluate. Independent of LAMMPS; libtorch, if needed, is behind the virtual
// functions (src/torch_model).
#pragma once

#include "model/center_tile.h"
#include "model/tile.h"
#include "model_file/metadata.h"

#include <string>
#include <vector>

namespace nnpal {

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
  double pair_closer_than = 0.0;    // Å; the closest pair is reported if it is closer than this
};

// Energies exclude self-energies. Arrays belong to the model and are valid until its next evaluation; null if
// not requested.
struct PositionsResult {
  std::vector<double> member_energies;      // [n_members] sum over local atoms, eV
  const double *forces = nullptr;           // [n_atoms * 3] of the members' mean, ghosts too, eV/Å
  const double *member_forces = nullptr;    // [n_members * n_atoms * 3]
  const double *energies = nullptr;         // [n_local] mean of the members, eV
  const double *uq_energy = nullptr;        // [n_local] eV
  const double *virials = nullptr;          // [n_atoms * 9] Σ over edges to the atom of vec (x) force, eV
  double virial[9] = {};                    // sum of these
  double closest = 0.0;                     // Å; the shortest edge, infinite if there is none ...
  int closest_pair[2] = {-1, -1};           // ... and its atoms, if requested
  bool forces_are_finite = true;            // of ghosts, too; false also if their sum overflows
  int non_finite = -1;                      // first local atom whose energy is NaN or infinite, or -1
};

struct ModelOptions {
  std::string device = "cpu";    // "cpu" or "cuda:N", resolved
  enum class Precision { kOfFile, kSingle, kTF32, kDouble } precision = Precision::kOfFile;
  int n_members = 0;    // number of members, the first ones; 0: all
  int n_threads = 1;    // of this model's evaluation
};

class Model {
public:
  virtual ~Model();
  Model(const Model &) = delete;
  Model &operator=(const Model &) = delete;

  const Metadata &metadata() const { return metadata_; }
  int n_members() const { return n_members_; }
  bool is_double() const { return is_double_; }
  const std::vector<double> &self_energies() const { return self_energies_; }    // [n_elements] eV
  int hops() const { return metadata_.hops; }

  virtual bool is_on_gpu() const = 0;
  virtual bool finds_neighbors() const = 0;    // whether evaluate(Positions) works
  virtual int centers_per_tile() const = 0;    // of a model of one hop
  virtual int edges_per_tile() const = 0;      // of a model that passes messages

  // Throws std::runtime_error if the evaluation fails (out of memory, for example).
  virtual void evaluate(const Tile &tile, bool with_member_gradients, TileResult &result) = 0;
  // For a model with charges; throws as above.
  virtual void evaluate_charges(const Tile &tile, TileCharges &result) = 0;
  // Both for a model of one hop, with tiles in the layout of the CPU kernels.
  virtual bool takes_floats() const { return false; }    // single precision, else double
  virtual void evaluate(CenterTile &tile, bool with_member_gradients);
  virtual void evaluate_charges(CenterTile &tile, TileCharges &result);
  // The same results from positions alone: neighbors are found and forces summed on the model's device. For a
  // model that finds neighbors.
  virtual void evaluate(const Positions &positions, const Wanted &wanted, PositionsResult &result) = 0;

protected:
  Model(Metadata metadata, const ModelOptions &options);

  void
  set_self_energies(std::vector<double> values);    // throws unless there is one finite number per element
  void use_members(int n_members) { n_members_ = n_members; }
  // Evaluate the file's reference configuration; throws std::runtime_error, with a message for the user, if
  // the results differ from the recorded ones.
  void check_reference(bool with_gradient);
  void check_reference_charges();

private:
  Metadata metadata_;
  int n_members_;
  bool is_double_;
  std::vector<double> self_energies_;
  Tile plain_;    // of evaluate(CenterTile), reused
  TileResult plain_result_;

  int n_elements() const { return static_cast<int>(metadata_.elements.size()); }
};

}    // namespace nnpal
