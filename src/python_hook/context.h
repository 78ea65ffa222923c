// Interface of Python hooks to LAMMPS: arrays of this rank's atoms, box, units, potential, and a few
// operations.
#pragma once

#include "atom_lookup.h"
#include "exclusion.h"
#include "potential.h"

#include "pointers.h"

#include <functional>
#include <pybind11/numpy.h>
#include <string>
#include <vector>

namespace LAMMPS_NS {
class Fix;
}

namespace nnpal {

namespace py = pybind11;

class Context : protected LAMMPS_NS::Pointers {
public:
  Context(LAMMPS_NS::LAMMPS *lmp, LAMMPS_NS::Fix *fix) :
      Pointers(lmp),
      fix_(fix),
      lookup_(lmp),
      exclusion_(lmp),
      tally_(lmp)
  {
  }

  // Set by the fix
  Potential potential;
  std::function<bool()> virial_is_used;
  bool has_energy = false, has_virial = false;    // of this force evaluation, in `potential`
  bool forces_are_partial = false;                // in pre_reverse: before reverse communication
  bool forces_are_unused = false;                 // in a trial state: LAMMPS does not move atoms by them
  bool is_trial = false;                          // an evaluation in addition to the step's own

  // This rank's atoms: views of LAMMPS's own memory, recreated when it moves
  py::object positions();
  py::object velocities();
  py::object forces();
  py::object tags();
  py::object types();
  py::object masks();
  py::object masses();    // [n_types + 1]
  py::array group_mask(const std::string &group) const;
  py::array own_group_mask() const;
  py::array excluded() const;
  LAMMPS_NS::bigint n_excluded() const;
  int group_bit() const;
  int n_local() const;
  LAMMPS_NS::bigint n_atoms() const;
  LAMMPS_NS::bigint n_group() const;

  py::array box() const;       // [3, 3] rows a, b, c
  py::array origin() const;    // [3]
  py::tuple periodic() const;
  double volume() const;
  bool box_changes() const;

  LAMMPS_NS::bigint step() const;
  double time() const;
  double dt() const;
  bool minimizing() const;
  bool in_trial() const { return is_trial; }
  std::vector<std::string> fix_styles() const;
  std::string units() const;
  double boltz() const;
  double nktv2p() const;
  double ftm2v() const;
  double mvv2e() const;
  double qqr2e() const;

  double potential_energy() const;
  py::array virial() const;

  py::object world_communicator();
  py::object universe_communicator();
  int partition() const;
  int n_partitions() const;

  std::string fix_id() const;
  std::string group() const;
  bool energy_yes() const;
  bool virial_yes() const;
  bool virial_used() const { return virial_is_used(); }

  void scale_forces(double factor);
  py::array positions_of(const std::vector<LAMMPS_NS::tagint> &tags);
  py::tuple separation(LAMMPS_NS::tagint from, LAMMPS_NS::tagint to);
  void add_force(LAMMPS_NS::tagint tag, double fx, double fy, double fz);
  py::array center_of_mass(const std::string &group_name);
  double group_mass(const std::string &group_name);
  LAMMPS_NS::bigint group_count(const std::string &group_name);
  py::array minimum_image(double dx, double dy, double dz) const;
  void log(const std::string &text) const;
  void write_restart(const std::string &path);

private:
  struct View {
    const void *data = nullptr;
    int n = -1;
    py::object array;
  };
  template <typename T> py::object rows(View &view, T **data);
  template <typename T> py::object values(View &view, T *data, int n);
  int group_index(const std::string &name) const;

  LAMMPS_NS::Fix *fix_;
  AtomLookup lookup_;
  Exclusion exclusion_;
  PotentialTally tally_;
  View x_, v_, f_, tag_, type_, mask_, mass_;
  std::vector<LAMMPS_NS::tagint> wanted_;
  std::vector<double> found_;
  void look_up(const std::vector<LAMMPS_NS::tagint> &tags);
  py::object world_, universe_;
};

// Register the class with Python (once per process).
void export_context();

// Raise nnpal.hooks.HookError: a user's mistake, reported without a traceback.
[[noreturn]] void throw_hook_error(const std::string &message);

}    // namespace nnpal
