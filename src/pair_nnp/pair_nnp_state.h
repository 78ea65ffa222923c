// The state of a PairNNP; in this file, so that pair_nnp.h needs only pair.h.
#pragma once

#include "exclusions.h"
#include "list/halo.h"
#include "list/message_tile.h"
#include "model/model.h"
#include "neighbors/nearby_atoms.h"
#include "settings.h"

#include <map>
#include <string>
#include <vector>

namespace nnpal {

// A per-atom value that fix pair can request and read.
struct AtomField {
  const char *name;
  int flag = 0;                       // set by fix pair on the steps that it requests
  bool has_reader = false;            // fix pair has looked up the flag of this model
  bool is_asked = false;              // on the latest step with a flag set
  bool is_computed = false;           // by the step's latest own compute()
  std::vector<double> values = {};    // [n_local] LAMMPS units
};

// An instance of fix pair.
struct FixReader {
  std::string id;
  int n_columns;
};

struct PairNNPState {
  PairNNPState() = default;
  PairNNPState(const PairNNPState &) = delete;    // `fields` points to members
  PairNNPState &operator=(const PairNNPState &) = delete;

  Settings settings;
  std::unique_ptr<Model> model;         // null only after a restart file named a model that is missing
  std::string fingerprint;              // CRC-32 and size of the model file
  std::vector<std::string> elements;    // [n_types] element of each atom type, or NULL
  double energy_scale = 1.0;            // LAMMPS energy unit per eV

  // Results of the current evaluation besides energy and forces
  struct Asked {
    bool of_step = true;    // false: positions are not the step's, so that nothing below is changed
    bool uq_energy = false, uq_force = false, error_force = false, charge = false;    // of each atom
    bool summary = false, uq_force_in_summary = false;                                // for compute pair
  } asked;
  bool is_first_evaluation = true;    // since init_style

  AbsentAtoms absent;
  std::vector<int> centers;       // LAMMPS index of each local atom with an energy
  bool uses_positions = false;    // no neighbor list; the model finds the neighbors
  Positions positions;
  PositionsResult of_positions;
  NearbyAtoms nearby;    // instead of a list, if the model does not find neighbors
  CenterTile center_tile;
  TileCharges charges;
  std::string overlap;    // complaint about two atoms almost on top of each other

  // For models of several hops
  Tile tile;
  TileResult result;
  std::vector<int> tile_atoms;        // LAMMPS index of each atom of the tile that is a center of edges
  std::vector<int> tile_neighbors;    // [n_edges of the tile] LAMMPS index of each neighbor
  bool maps_images =
      false;    // ghosts use the edges of the local atoms that they are images of; else there is a halo
  std::vector<int> owners;    // [n_local + n_ghost] those atoms, or empty
  MessageTile messages;
  int most_edges = 0, tile_edges = 0;    // of a tile: intended, of the current step
  bool ran_out_of_memory = false;
  RaisedCutoff raised_cutoff;
  double halo_in_log = 0.0;

  AtomField uq_energy{"uq_energy"}, uq_force{"uq_force"}, error_force{"error_force"}, charge{"charge"};
  AtomField *const fields[4] = {&uq_energy, &uq_force, &error_force, &charge};
  std::vector<double> charge_weights;    // [n_local] while `charge` holds raw charges
  std::int64_t asked_step = -1;          // latest step with a flag set
  std::vector<const AtomField *>
      fields_read;                   // since the latest evaluation for which a flag was set, in order
  std::vector<FixReader> readers;    // the instances at that time
  std::map<std::string, std::vector<const AtomField *>>
      fix_columns;                      // by ID, of those that read on that step
  std::vector<double> member_force;     // [(n_local + n_ghost) * n_members * 3] LAMMPS force units
  std::vector<double> member_energy;    // [n_members] this rank's sum, LAMMPS energy units
};

}    // namespace nnpal
