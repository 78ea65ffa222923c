// fix pair asks and reads once a step, but energies may be evaluated again on that step: for the trial states
// of Monte Carlo moves, in a line search, and then for the state that is dumped. Its copies follow the latest
// evaluation here.
#include "pair_nnp.h"

#include "pair_nnp_state.h"

#include "atom.h"
#include "error.h"
#include "fix.h"
#include "modify.h"
#include "update.h"

using namespace LAMMPS_NS;
using nnpal::UQField;

void PairNNP::note_what_fix_pair_asks()
{
  nnpal::PairNNPState &s = *state_;
  if (!s.uq_energy_flag && !s.uq_force_flag) return;
  s.asked_step = update->ntimestep;
  s.asked_energy = s.uq_energy_flag;
  s.asked_force = s.uq_force_flag;
  s.fields_read.clear();
}

// Once fix pair has read on this step, write the new values where it keeps them. It does not tell which
// instance reads which field, but instances read in their order and the fields in their columns' order.
void PairNNP::refresh_fix_pair()
{
  nnpal::PairNNPState &s = *state_;
  if (s.asked_step != update->ntimestep || s.fields_read.empty()) return;
  auto field = s.fields_read.begin();
  for (Fix *fix : modify->get_fix_by_style("^pair$")) {
    if (update->ntimestep % fix->nevery != 0) continue;
    const int n_columns = fix->size_peratom_cols;
    for (int column = 0; column < (n_columns == 0 ? 1 : n_columns); ++column, ++field) {
      const bool is_current =
          field != s.fields_read.end() && (*field == UQField::kEnergy ? s.has_uq_energy : s.has_uq_force);
      if (!is_current)
        error->all(FLERR, Error::NOLASTLINE,
                   "pair_style nnp: step {}: energies are evaluated several times, and fix pair is used with "
                   "another "
                   "pair style too, so that its values cannot be kept current; let fix pair skip such steps",
                   update->ntimestep);
      const double *values = *field == UQField::kEnergy ? s.uq_energy.data() : s.uq_force.data();
      for (int i = 0; i < atom->nlocal; ++i)
        (n_columns == 0 ? fix->vector_atom[i] : fix->array_atom[i][column]) = values[i];
    }
  }
}
