// fix pair requests and reads values once per step, but energies may be evaluated again on that step: for
// trial states of Monte Carlo moves, in a line search, and then for the state that is dumped. Its copies are
// updated here to the latest evaluation.
#include "pair_nnp.h"

#include "fail.h"
#include "pair_nnp_state.h"

#include "atom.h"
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
  const bool is_same_step = s.asked_step == update->ntimestep;
  if (is_same_step)
    note_what_was_read();
  else
    s.fix_columns.clear();
  // Values requested earlier on this step are kept current, too
  for (nnpal::AtomField *field : s.fields) field->is_asked = field->flag || (is_same_step && field->is_asked);
  s.asked_step = update->ntimestep;
  s.fields_read.clear();
}

// The instance of fix pair that reads a field is unknown, but instances read in their order, and fields in
// the order of their columns: all of them, or those created since others read on this step.
void PairNNP::note_what_was_read()
{
  nnpal::PairNNPState &s = *state_;
  if (s.fields_read.empty()) return;
  const auto is_new = [&](const nnpal::FixReader &reader) { return s.fix_columns.count(reader.id) == 0; };
  std::size_t n_all = 0, n_new = 0;
  for (const auto &reader : s.readers) {
    n_all += reader.n_columns;
    if (is_new(reader)) n_new += reader.n_columns;
  }
  const bool by_all = s.fields_read.size() >= n_all;
  auto field = s.fields_read.begin();
  for (const auto &reader : s.readers) {
    if (!by_all && (!is_new(reader) || s.fields_read.size() < n_new)) continue;
    s.fix_columns[reader.id].assign(field, field + reader.n_columns);
    field += reader.n_columns;
  }
  s.fields_read.clear();
}

// The instances are recorded when the first of them reads, because they may change later. Outside of a run, a
// new fix pair requests the number of columns.
void PairNNP::note_reading(const nnpal::AtomField &field)
{
  nnpal::PairNNPState &s = *state_;
  if (update->whichflag == 0) return;
  if (s.fields_read.empty()) {
    s.readers.clear();
    for (const Fix *fix : modify->get_fix_by_style("^pair$"))
      if (update->ntimestep % fix->nevery == 0)
        s.readers.push_back({fix->id, std::max(fix->size_peratom_cols, 1)});
  }
  s.fields_read.push_back(&field);
}

// fix pair looks up flags when it is created and sets them once per step; since then a pair_style may have
// read another model, or the fix may have been deleted.
bool PairNNP::fix_pair_asks(const nnpal::AtomField &field)
{
  if (state_->asked_step != update->ntimestep || !field.is_asked ||
      modify->get_fix_by_style("^pair$").empty())
    return false;
  if (const std::string complaint = why_not(field); !complaint.empty()) stop_if_any(complaint);
  return true;
}

// At the start of a run: whether one of its steps may. The fields of fix pair are unknown, so: whether it has
// looked up this field's flag, and any fix pair still exists.
bool PairNNP::fix_pair_may_ask(const nnpal::AtomField &field) const
{
  return field.has_reader && !modify->get_fix_by_style("^pair$").empty();
}

// If fix pair has read on this step, write the new values to its arrays.
void PairNNP::refresh_fix_pair()
{
  nnpal::PairNNPState &s = *state_;
  if (s.asked_step != update->ntimestep) return;
  const bool has_read = !s.fields_read.empty() || !s.fix_columns.empty();
  note_what_was_read();
  for (const auto &reader : s.readers) {
    Fix *fix = modify->get_fix_by_id(reader.id);
    if (!has_read || !fix) continue;
    const auto columns = s.fix_columns.find(reader.id);
    const bool is_known = columns != s.fix_columns.end();
    for (int column = 0; column < reader.n_columns; ++column) {
      if (!is_known || !columns->second[column]->is_computed)
        nnpal::fail(
            error, FLERR,
            "pair_style nnp: step {}: energies are evaluated several times, and fix pair is used with "
            "another pair style too, so that its values cannot be kept current; let fix pair skip such steps",
            update->ntimestep);
      const std::vector<double> &values = columns->second[column]->values;
      for (int i = 0; i < atom->nlocal; ++i)
        (fix->size_peratom_cols == 0 ? fix->vector_atom[i] : fix->array_atom[i][column]) = values[i];
    }
  }
}
