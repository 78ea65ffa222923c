// pair_style nnp: an ensemble of neural network potentials with its uncertainty.
//
//   E   = sum_i [ mean_m e_im + self-energy_i ]            e_im: energy of atom i by ensemble member m
//                                                          (no self-energies with `self_energies no`)
//   F_i = - dE / dr_i                                      from the gradient with respect to edge vectors
//   uq_energy_i = sqrt( mean_m (e_im - mean_m e_im)^2 )
//   uq_force_i  = sqrt( mean_m |F_im - mean_m F_im|^2 )
//   charge_i: for a model with charge networks; the sum over all atoms of the world is 0 (model.h)
//   error_force_i, error_energy: calibrated errors, by the model file's calibration (calibration.h)
//   W_i = sum over edges whose neighbor is i of  edge_vec (x) force of the edge on i
//
// With this W_i, sum_i W_i v_i is the potential part of the heat current of a many-body potential (Fan et
// al., Phys. Rev. B 92, 094301 (2015), doi:10.1103/PhysRevB.92.094301).
#pragma once

#include "pair.h"

#include <memory>
#include <string>
#include <vector>

namespace nnpal {
struct AtomField;
struct Calibration;
struct NeighborLists;
struct PairNNPState;
class RaisedCutoff;
struct Tally;
}    // namespace nnpal

namespace LAMMPS_NS {

class Fix;

class PairNNP : public Pair {
public:
  explicit PairNNP(LAMMPS *lmp);
  ~PairNNP() override;

  void settings(int narg, char **arg) override;
  void coeff(int narg, char **arg) override;
  void init_style() override;
  double init_one(int i, int j) override;
  void compute(int eflag, int vflag) override;

  void *extract(const char *name, int &dim) override;
  void *extract_peratom(const char *name, int &n_columns) override;
  int pack_reverse_comm(int n, int first, double *buffer) override;
  void unpack_reverse_comm(int n, int *indices, double *buffer) override;
  double memory_usage() override;

  void write_restart(FILE *file) override;
  void read_restart(FILE *file) override;
  void write_restart_settings(FILE *file) override;
  void read_restart_settings(FILE *file) override;

private:
  std::unique_ptr<nnpal::PairNNPState> state_;

  // pair_nnp.cpp: settings and checks
  void allocate();
  void load_model(bool missing_file_is_fatal);
  void map_types(const std::vector<std::string> &elements);
  void stop_if_any(const std::string &complaint);
  void require_model();
  bool needs_no_list() const;
  double self_energy(int type) const;

  // pair_nnp_checks.cpp: conflicts with other commands
  void refuse_bonded_exclusions();
  void update_exclusions();
  void warn_of_absent_atoms();
  std::string neighbor_list_needed_by() const;
  void refuse_self_energies_of_insertions();
  const Fix *inserting_fix() const;
  void refuse_hmc_with_uncertainty();
  void refuse_respa_with_fix_pair();
  bool is_trial_state() const;
  bool is_perturbed_state() const;

  // pair_nnp_compute.cpp: one step
  void ask();
  void collect_centers();
  bool overlaps_anywhere() const;
  void reject_trial_state();
  nnpal::Tally tally();

  // list/evaluate_list.cpp, evaluate_cells.cpp: edges of one hop
  std::string evaluate_list();
  template <class T> std::string evaluate_tile(const nnpal::NeighborLists &lists, int first, int last);
  template <class T> int tally_tile(const nnpal::Tally &tally, const int *centers);
  void tally_members(const nnpal::Tally &tally, int i, const double *energies);
  std::string evaluate_cells();
  void tally_cells(const nnpal::Tally &tally);

  // list/evaluate_messages.cpp: edges of several hops
  double halo() const;
  int prepare_messages();
  std::vector<const nnpal::RaisedCutoff *> cutoffs_of_others() const;
  void refuse_heat_flux();
  std::string evaluate_messages();
  bool gather(int first, int last);
  std::string evaluate_centers(int first, int last);
  int split_centers(int first, int last);
  void tally_messages(const nnpal::Tally &tally);

  // pair_nnp_fix_pair.cpp, pair_nnp_uncertainty.cpp: values for fix pair and compute pair
  void note_what_fix_pair_asks();
  void note_what_was_read();
  void note_reading(const nnpal::AtomField &field);
  bool fix_pair_asks(const nnpal::AtomField &field);
  void refresh_fix_pair();
  void finish_uq_force();
  const nnpal::Calibration *calibration() const;
  std::string why_not(const nnpal::AtomField &field) const;
  void finish_error_force();
  bool fix_pair_may_ask(const nnpal::AtomField &field) const;

  // pair_nnp_charges.cpp
  std::string evaluate_charges(const int *centers);
  std::string finish_charges();
  void finish_summary();
  void forget_summary();
  std::string non_finite_uncertainty() const;
  bool compute_pair_exists() const;
  bool compute_pair_is_due() const;
};

}    // namespace LAMMPS_NS
