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
  void setup_pre_reverse(int eflag, int vflag) override;
  void setup(int vflag) override;
  void min_setup(int vflag) override;
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
  void call(int method);
  void settle(std::string complaint);    // ends all ranks if any has a complaint
  bool virial_is_used() const;           // by LAMMPS, or by a python/hook defined later
  void ask_for_tally();
  void read_potential();    // of this force evaluation, into the context
  void call_pre_reverse();

  std::unique_ptr<nnpal::PythonSide, nnpal::PythonSideDeleter> python_;
  std::string spec_;
  std::string id_energy_, id_virial_;    // computes that make LAMMPS tally every step
  bool reads_energy_ = true, reads_virial_ = true;
  std::vector<const FixPythonHook *> earlier_potentials_;
};
