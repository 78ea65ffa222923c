#include "pair_nnp.h"

#include "citation.h"
#include "collective.h"
#include "fail.h"
#include "list/atom_messages.h"
#include "load_model.h"
#include "model_file/crc32.h"
#include "pair_nnp_state.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neighbor.h"
#include "update.h"
#include "utils.h"

#include <algorithm>
#include <cstring>

using namespace LAMMPS_NS;

namespace {

constexpr int kSummarySize = 6;

std::string joined(const std::vector<std::string> &words)
{
  std::string text;
  for (const auto &word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

}    // namespace

PairNNP::PairNNP(LAMMPS *lmp) : Pair(lmp), state_(std::make_unique<nnpal::PairNNPState>())
{
  one_coeff = 1;
  manybody_flag = 1;
  single_enable = 0;
  restartinfo = 1;
  no_virial_fdotr_compute = 1;
  centroidstressflag = CENTROID_AVAIL;
  nextra = kSummarySize;
  pvector = new double[kSummarySize];
  forget_summary();
  nnpal::cite(*lmp);
}

PairNNP::~PairNNP()
{
  delete[] pvector;
  state_->raised_cutoff.put_back(*comm);
  if (allocated && !copymode) {
    memory->destroy(setflag);
    memory->destroy(cutsq);
    memory->destroy(cutghost);
  }
}

void PairNNP::allocate()
{
  const int n = atom->ntypes + 1;
  if (!allocated) {
    memory->create(setflag, n, n, "pair:setflag");
    memory->create(cutsq, n, n, "pair:cutsq");
    memory->create(cutghost, n, n, "pair:cutghost");
    map = new int[n];    // ~Pair deletes it
    allocated = 1;
  }
  for (int i = 0; i < n; ++i) {
    map[i] = -1;
    for (int j = 0; j < n; ++j) setflag[i][j] = 0;
  }
}

// Every rank must call. Stops all ranks with the complaint of the lowest rank that has one.
void PairNNP::stop_if_any(const std::string &complaint)
{
  const std::string agreed = nnpal::agree_on_complaint(complaint, world);
  if (agreed.empty()) return;
  if (update->whichflag == 0) error->all(FLERR, "pair_style nnp: {}", agreed);
  nnpal::fail(error, FLERR, "pair_style nnp: step {}: {}", update->ntimestep, agreed);
}

void PairNNP::settings(int narg, char **arg)
{
  try {
    state_->settings = nnpal::parse_settings(std::vector<std::string>(arg, arg + narg));
  } catch (const std::invalid_argument &complaint) {
    error->all(FLERR, "pair_style nnp: {}", complaint.what());
  }
  load_model(true);
  state_->elements.clear();
  if (allocated) allocate();    // a repeated pair_style needs a new pair_coeff
}

void PairNNP::load_model(bool missing_file_is_fatal)
{
  const nnpal::Settings &settings = state_->settings;
  state_->model.reset();
  std::string bytes;
  if (!nnpal::read_file_everywhere(settings.model_path, bytes, world)) {
    if (!missing_file_is_fatal) return;
    error->all(FLERR, "pair_style nnp: model {} cannot be read: {}", settings.model_path, bytes);
  }
  state_->fingerprint = fmt::format("{:08x}-{}", nnpal::crc32(bytes.data(), bytes.size()), bytes.size());

  const int rank_on_node = nnpal::rank_on_node(world);
  std::string complaint;
  try {
    nnpal::LoadedModel loaded = nnpal::load_model(bytes, settings, rank_on_node);
    if (comm->me == 0 && !loaded.note.empty()) utils::logmesg(lmp, "pair_style nnp: {}\n", loaded.note);
    state_->model = std::move(loaded.model);
    if (comm->me == 0)
      utils::logmesg(lmp,
                     "pair_style nnp: {}: elements {}, {} of {} members, cutoff {} Å, {} precision, {}, {} "
                     "self-energies\n",
                     settings.model_path, joined(state_->model->metadata().elements),
                     state_->model->n_members(), state_->model->metadata().n_members,
                     state_->model->metadata().cutoff, state_->model->is_double() ? "double" : "single",
                     loaded.device, settings.self_energies ? "with" : "without");
  } catch (const std::exception &failure) {
    complaint = "model " + settings.model_path + ": " + failure.what();
  }
  stop_if_any(complaint);
  comm_reverse = 3 * state_->model->n_members();
  ghostneigh = state_->model->hops() > 1;    // pair_style hybrid reads it before init_style
}

// A restart file may name a missing model; the user can still give another one.
void PairNNP::require_model()
{
  if (!state_->model)
    nnpal::fail(
        error, FLERR,
        "pair_style nnp: model {}, named in the restart file, cannot be read; give pair_style and pair_coeff "
        "again after read_restart",
        state_->settings.model_path);
}

void PairNNP::coeff(int narg, char **arg)
{
  require_model();
  if (narg < 3 || strcmp(arg[0], "*") != 0 || strcmp(arg[1], "*") != 0)
    error->all(FLERR,
               "pair_coeff (nnp): expected `pair_coeff * * ELEMENT ...`, one element for each atom type");
  if (narg - 2 != atom->ntypes)
    error->all(FLERR, "pair_coeff (nnp): {} element(s) given ({}), but the system has {} atom type(s)",
               narg - 2, joined(std::vector<std::string>(arg + 2, arg + narg)), atom->ntypes);
  map_types(std::vector<std::string>(arg + 2, arg + narg));
}

void PairNNP::map_types(const std::vector<std::string> &elements)
{
  const auto &known = state_->model->metadata().elements;
  const bool is_hybrid = utils::strmatch(force->pair_style, "^hybrid");
  allocate();
  int n_mapped = 0;
  for (int type = 1; type <= atom->ntypes; ++type) {
    const std::string &element = elements[type - 1];
    if (element == "NULL") {
      if (!is_hybrid)
        error->all(FLERR,
                   "pair_coeff (nnp): NULL for atom type {} is for pair_style hybrid only; give one of: {}",
                   type, joined(known));
      continue;
    }
    const auto at = std::find(known.begin(), known.end(), element);
    if (at == known.end())
      error->all(FLERR, "pair_coeff (nnp): element {} (atom type {}) is not in model {}, which knows: {}",
                 element, type, state_->settings.model_path, joined(known));
    map[type] = static_cast<int>(at - known.begin());
    ++n_mapped;
  }
  if (n_mapped == 0) error->all(FLERR, "pair_coeff (nnp): no atom type has an element");
  for (int i = 1; i <= atom->ntypes; ++i)
    for (int j = i; j <= atom->ntypes; ++j) setflag[i][j] = map[i] >= 0 && map[j] >= 0;
  state_->elements = elements;
}

void PairNNP::init_style()
{
  const std::string units(update->unit_style);
  if (units == "metal")
    state_->energy_scale = 1.0;
  else if (units == "real")
    state_->energy_scale = utils::get_conversion_factor(utils::ENERGY, utils::METAL2REAL);
  else
    nnpal::fail(error, FLERR, "pair_style nnp: units are {}, expected metal or real", units);
  if (!force->newton_pair)
    nnpal::fail(error, FLERR,
                "pair_style nnp: newton pair is off, expected on; set `newton on` before the box is created");
  require_model();
  refuse_bonded_exclusions();
  update_exclusions();
  warn_of_absent_atoms();
  refuse_self_energies_of_insertions();
  refuse_hmc_with_uncertainty();
  refuse_respa_with_fix_pair();
  stop_if_any(nnpal::non_finite_position(*atom, atom->nlocal));
  state_->uses_positions = needs_no_list();
  state_->is_first_evaluation = true;
  const int request = prepare_messages();
  if (!state_->uses_positions) neighbor->add_request(this, request);
}

bool PairNNP::needs_no_list() const
{
  try {
    return nnpal::model_finds_neighbors(state_->settings.neighbors, state_->model->is_on_gpu(),
                                        !state_->model->is_on_gpu() || state_->model->finds_neighbors(),
                                        neighbor_list_needed_by());
  } catch (const std::invalid_argument &complaint) {
    nnpal::fail(error, FLERR, "pair_style nnp: {}", complaint.what());
  }
}

// [eV], 0 if energies exclude it
double PairNNP::self_energy(int type) const
{
  return state_->settings.self_energies ? state_->model->self_energies()[map[type]] : 0.0;
}

double PairNNP::init_one(int i, int j)
{
  if (setflag[i][j] == 0)
    nnpal::fail(error, FLERR, "pair_style nnp: atom types {} and {} have no pair_coeff", i, j);
  cutghost[i][j] = cutghost[j][i] = state_->model->metadata().cutoff;
  return state_->model->metadata().cutoff;    // Å is the length unit of metal and real
}

void *PairNNP::extract(const char *name, int &dim)
{
  dim = 0;
  for (nnpal::AtomField *field : state_->fields) {
    if (name != std::string(field->name) + "_flag") continue;
    if (const std::string complaint = why_not(*field); !complaint.empty())
      error->all(FLERR, "pair_style nnp: {}", complaint);
    field->has_reader = true;
    return &field->flag;
  }
  return nullptr;
}

// Returns null for a value that the latest compute() did not produce: fix pair then stops with an error.
void *PairNNP::extract_peratom(const char *name, int &n_columns)
{
  n_columns = 0;
  for (nnpal::AtomField *field : state_->fields) {
    if (strcmp(name, field->name) != 0 || !field->is_computed) continue;
    note_reading(*field);
    return field->values.data();
  }
  return nullptr;
}

double PairNNP::memory_usage()
{
  const nnpal::PairNNPState &s = *state_;
  const nnpal::CenterTile &tile = s.center_tile;
  std::size_t n_doubles = s.tile.edge_vec.capacity() + s.result.gradient.capacity() +
                          s.result.member_gradient.capacity() + s.member_force.capacity() +
                          tile.twofold.vec.capacity() + tile.twofold.gradients.capacity();
  for (const nnpal::AtomField *field : s.fields) n_doubles += field->values.capacity();
  const std::size_t n_floats = tile.single.vec.capacity() + tile.single.gradients.capacity();
  return Pair::memory_usage() + static_cast<double>(n_doubles * sizeof(double) + n_floats * sizeof(float) +
                                                    tile.neighbor.capacity() * sizeof(int));
}

extern "C" __attribute__((visibility("default"))) void *nnpal_create_pair(void *lmp)
{
  return static_cast<Pair *>(new PairNNP(static_cast<LAMMPS *>(lmp)));
}
