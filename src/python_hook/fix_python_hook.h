// fix ID group python/hook MODULE:CLASS key value ...
// LAMMPS's side of the hook contract (docs/hooks.md): when a hook is called, and what LAMMPS reads from it.
#pragma once

#include "fix.h"

#include <memory>
#include <string>
#include <vector>

namespace nnpal {

struct PythonSide;    // everything that needs Python's headers
struct PythonSideDeleter {
  void operator()(PythonSide *side) const;
};

}    // namespace nnpal

class FixPythonHook : public LAMMPS_NS::Fix {
public:
  FixPythonHook(LAMMPS_NS::LAMMPS *lmp, int narg, char **arg);
  ~FixPythonHook() override;

  int setmask() override;
  void post_constructor() override;
  void init() override;
  void setup_pre_force(int vflag) override;
  void setup_pre_reverse(int eflag, int vflag) override;
  void setup(int vflag) override;
  void min_setup(int vflag) override;
  void post_neighbor() override;
  void pre_force(int vflag) override;
  void min_pre_force(int vflag) override;
  void pre_reverse(int eflag, int vflag) override;
  void min_pre_reverse(int eflag, int vflag) override;
  void post_force(int vflag) override;
  void min_post_force(int vflag) override;
  void end_of_step() override;
  void post_run() override;

  double compute_scalar() override;
  double compute_vector(int index) override;
  void write_restart(FILE *file) override;
  void restart(char *buffer) override;

private:
  // What LAMMPS evaluates now: the forces of a step, or a trial state, of which only the energy matters.
  enum class Evaluation { kBegun, kOfStep, kTrial };

  void call(int method);
  std::string trouble_after(int method, bool forces_were_finite) const;
  std::string place_after(const char *method) const;    // " on rank 1, after post_force at step 7"
  bool forces_are_finite() const;
  void settle(const std::string &complaint);                           // ends all ranks on a complaint
  void settle(std::string complaint, std::vector<double> &outputs);    // and makes outputs equal on all
  void check_same_outputs();    // the same kinds and lengths on all ranks
  void refuse_fixes_that_overlook_hooks() const;
  void warn_of_moves_without_energy() const;
  bool virial_is_used() const;    // by LAMMPS, or by a python/hook defined later
  void ask_for_tally();
  void read_potential();    // of this force evaluation, into the context
  void call_pre_reverse();
  bool takes_part_in_evaluations() const;    // has a method that may set energies or forces
  bool is_before_exchange() const;
  void evaluate_trial();

  std::unique_ptr<nnpal::PythonSide, nnpal::PythonSideDeleter> python_;
  std::string spec_;
  double patience_ = 0.0;                // seconds, to wait for ranks after a failure
  std::string id_energy_, id_virial_;    // computes that make LAMMPS tally every step
  bool reads_energy_ = true, reads_virial_ = true;
  std::vector<const FixPythonHook *> earlier_potentials_;
  Evaluation evaluation_ = Evaluation::kBegun;
  bool is_in_run_ = false;                   // a step was evaluated, and the run has not ended
  LAMMPS_NS::bigint exchanged_step_ = -1;    // the step whose own neighbor lists have been built
};
