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

#include <algorithm>
#include <iterator>

using namespace LAMMPS_NS;

void PairNNP::note_what_fix_pair_asks()
{
  nnpal::PairNNPState &s = *state_;
  const auto is_flagged = [](const nnpal::AtomField *field) { return field->flag != 0; };
  if (std::none_of(std::begin(s.fields), std::end(s.fields), is_flagged)) return;
  s.asked_step = update->ntimestep;
  for (nnpal::AtomField *field : s.fields) field->is_asked = field->flag;
  s.fields_read.clear();
}

// Flags are looked for when a fix pair is made, and set once a step: a pair_style since then may have read
// another model, or the fix be gone.
bool PairNNP::fix_pair_asks(const nnpal::AtomField &field)
{
  if (state_->asked_step != update->ntimestep || !field.is_asked ||
      modify->get_fix_by_style("^pair$").empty())
    return false;
  if (const std::string complaint = why_not(field); !complaint.empty()) stop_if_any(complaint);
  return true;
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
      if (field == s.fields_read.end() || !(*field)->is_computed)
        error->all(FLERR, Error::NOLASTLINE,
                   "pair_style nnp: step {}: energies are evaluated several times, and fix pair is used with "
                   "another "
                   "pair style too, so that its values cannot be kept current; let fix pair skip such steps",
                   update->ntimestep);
      const std::vector<double> &values = (*field)->values;
      for (int i = 0; i < atom->nlocal; ++i)
        (n_columns == 0 ? fix->vector_atom[i] : fix->array_atom[i][column]) = values[i];
    }
  }
}
