#include "fix_python_hook.h"

#include "agreement.h"
#include "context.h"
#include "fail.h"
#include "hook.h"
#include "interpreter.h"

#include "atom.h"
#include "comm.h"
#include "compute.h"
#include "error.h"
#include "force.h"
#include "lmppython.h"
#include "modify.h"
#include "neighbor.h"
#include "pair.h"
#include "universe.h"
#include "update.h"
#include "utils.h"

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>

using namespace LAMMPS_NS;
using nnpal::Hook;

namespace nnpal {

struct PythonSide {
  PythonSide(LAMMPS *lmp, Fix *fix) : context(lmp, fix), tally(lmp) {}
  Context context;
  PotentialTally tally;
  std::unique_ptr<Hook> hook;
  MPI_Comm ranks = MPI_COMM_NULL;    // a duplicate, separate from the hook's own messages
  std::vector<double> row;           // outputs of the latest call, to compare between ranks
};

void PythonSideDeleter::operator()(PythonSide *side) const
{
  if (side->ranks != MPI_COMM_NULL) MPI_Comm_free(&side->ranks);
  if (!Py_IsInitialized()) return;    // Python ended first: its objects no longer exist
  py::gil_scoped_acquire gil;
  delete side;
}

}    // namespace nnpal

namespace {

// Time in seconds that a rank with a failed hook waits for others, which may be stuck in a collective call of
// the hook or slow on a busy machine: from this variable, else kPatienceSeconds.
constexpr const char *kPatienceVariable = "NNPAL_HOOK_PATIENCE";
constexpr double kPatienceSeconds = 60.0;

// Return the seconds, or 0 or less if the variable is not a positive number.
double patience_in_environment()
{
  const char *given = std::getenv(kPatienceVariable);
  if (!given) return kPatienceSeconds;
  char *end = nullptr;
  const double seconds = std::strtod(given, &end);
  return *given && !*end && std::isfinite(seconds) ? seconds : 0.0;
}

// Run `work` with the GIL held and return its error, or "". `place()` names the place of an output error.
template <typename Work, typename Place> std::string complaint_of(const Work &work, const Place &place)
{
  nnpal::py::gil_scoped_acquire gil;
  try {
    work();
  } catch (nnpal::OutputError &error) {
    return error.what() + place();
  } catch (nnpal::py::error_already_set &error) {
    if (!error.matches(PyExc_ModuleNotFoundError)) return nnpal::describe(error);
    const std::string advice = nnpal::advice_on_packages();
    return nnpal::describe(error) + (advice.empty() ? "" : "\n" + advice);
  } catch (std::exception &error) {
    return error.what();
  }
  return "";
}

template <typename Work> std::string complaint_of(const Work &work)
{
  return complaint_of(work, [] { return std::string(); });
}

}    // namespace

FixPythonHook::FixPythonHook(LAMMPS *lmp, int narg, char **arg) : Fix(lmp, narg, arg)
{
  if (narg < 4)
    error->all(
        FLERR,
        "fix {}: expected python/hook MODULE:CLASS key value ..., such as python/hook my_module:MyHook", id);
  spec_ = arg[3];
  patience_ = patience_in_environment();
  if (!(patience_ > 0.0))
    error->all(FLERR, "fix {}: the variable {} is '{}'; expected seconds greater than 0, or unset it", id,
               kPatienceVariable, std::getenv(kPatienceVariable));
  if (!nnpal::ensure_interpreter(lmp->python->is_enabled()))
    error->all(FLERR, "fix {}: Python could not be started; run: nnpal doctor", id);

  python_.reset(new nnpal::PythonSide(lmp, this));
  MPI_Comm_dup(world, &python_->ranks);
  python_->context.virial_is_used = [this] { return virial_is_used(); };
  const std::vector<std::string> words(arg + 4, arg + narg);
  settle(complaint_of(
      [&] {
        nnpal::export_context();
        const auto context = nnpal::py::cast(&python_->context, nnpal::py::return_value_policy::reference);
        python_->hook = std::make_unique<Hook>(spec_, words, context);
      },
      [this] { return place_after("__init__"); }));

  check_same_outputs();

  nevery = 1;
  global_freq = 1;
  dynamic_group_allow = 1;
  energy_global_flag = 1;
  virial_global_flag = 1;
  restart_global = python_->hook->has_state() ? 1 : 0;
  scalar_flag = python_->hook->has_energy() ? 1 : 0;
  extscalar = 1;
  size_vector = static_cast<int>(python_->hook->outputs.vector.size());
  vector_flag = size_vector > 0 ? 1 : 0;
  extvector = 0;
  std::memset(virial, 0, sizeof(virial));
}

FixPythonHook::~FixPythonHook()
{
  for (const auto &compute : {id_energy_, id_virial_})
    if (!compute.empty() && modify && modify->get_compute_by_id(compute)) modify->delete_compute(compute);
  if (!python_ || !python_->hook || !python_->hook->has(Hook::kClose) || !Py_IsInitialized()) return;
  const std::string complaint = complaint_of([&] { python_->hook->call(Hook::kClose); });
  if (!complaint.empty())
    error->warning(FLERR, "fix " + std::string(id) + " (python/hook " + spec_ + "): " + complaint);
}

int FixPythonHook::setmask()
{
  const Hook &hook = *python_->hook;
  int mask = FixConst::PRE_REVERSE | FixConst::MIN_PRE_REVERSE;    // always: energy and virial are read there
  // Monte Carlo fixes evaluate trial states without pre_reverse: by pre_force, the pair style and post_force
  if (takes_part_in_evaluations())
    mask |= FixConst::POST_NEIGHBOR | FixConst::PRE_FORCE | FixConst::MIN_PRE_FORCE | FixConst::POST_FORCE |
            FixConst::MIN_POST_FORCE;
  if (hook.has(Hook::kEndOfStep)) mask |= FixConst::END_OF_STEP;
  if (hook.has(Hook::kPostRun)) mask |= FixConst::POST_RUN;
  return mask;
}

// LAMMPS tallies energy and virial only on steps that a compute requests.
void FixPythonHook::post_constructor()
{
  id_energy_ = std::string(id) + "_hook_energy";
  id_virial_ = std::string(id) + "_hook_virial";
  modify->add_compute(id_energy_ + " all pe");
  modify->add_compute(id_virial_ + " all pressure NULL virial");
}

void FixPythonHook::init()
{
  if (utils::strmatch(update->integrate_style, "^respa"))
    nnpal::fail(error, FLERR, "fix {} (python/hook {}): run_style respa is not supported; use verlet", id,
                spec_);
  settle(complaint_of([&] {
    reads_energy_ = python_->hook->reads("energy");
    reads_virial_ = python_->hook->reads("virial");
  }));
  refuse_fixes_that_overlook_hooks();
  warn_of_moves_without_energy();
  exchanged_step_ = -1;
  is_in_run_ = false;
  earlier_potentials_.clear();
  for (const auto *fix : modify->get_fix_list()) {
    if (fix == this) break;
    const auto *other = dynamic_cast<const FixPythonHook *>(fix);
    if (other && other->python_->hook->has(Hook::kPreReverse)) earlier_potentials_.push_back(other);
  }
}

bool FixPythonHook::virial_is_used() const
{
  if (thermo_virial) return true;
  bool is_later = false;
  for (const auto *fix : modify->get_fix_list()) {
    const auto *other = dynamic_cast<const FixPythonHook *>(fix);
    if (is_later && other && other->python_->hook->reads("virial")) return true;
    is_later = is_later || fix == this;
  }
  return false;
}

// Fix sgcmc changes types in post_force, by energies of only the pair style, without those of fixes.
void FixPythonHook::refuse_fixes_that_overlook_hooks() const
{
  if (!thermo_energy || !python_->hook->has_energy()) return;
  for (const auto *fix : modify->get_fix_list())
    if (utils::strmatch(fix->style, "^sgcmc"))
      nnpal::fail(
          error, FLERR,
          "fix {} (python/hook {}): fix {} (sgcmc) accepts moves by energies of the pair style alone, so "
          "this hook's energy would be left out; use fix atom/swap ... semi-grand yes, or remove fix_modify "
          "{} energy yes",
          id, spec_, fix->id, id);
}

// Moves ignore an energy that is not part of LAMMPS's potential energy: with an oracle as the whole
// potential, every swap would be accepted.
void FixPythonHook::warn_of_moves_without_energy() const
{
  static constexpr const char *kMovers[] = {"^atom/swap", "^mol/swap", "^neighbor/swap",    "^gcmc",
                                            "^widom",     "^hmc",      "^charge/regulation"};
  if (thermo_energy || !python_->hook->has_energy() || !takes_part_in_evaluations() || comm->me != 0) return;
  for (const char *style : kMovers)
    for (const auto *fix : modify->get_fix_by_style(style))
      error->warning(
          FLERR,
          "fix {} (python/hook {}): fix {} ({}) accepts moves without this hook's energy; to have it "
          "count: fix_modify {} energy yes",
          id, spec_, fix->id, fix->style, id);
}

void FixPythonHook::ask_for_tally()
{
  if (reads_energy_) modify->get_compute_by_id(id_energy_)->addstep(update->ntimestep + 1);
  if (reads_virial_) modify->get_compute_by_id(id_virial_)->addstep(update->ntimestep + 1);
}

void FixPythonHook::read_potential()
{
  auto &context = python_->context;
  const bool is_trial = evaluation_ == Evaluation::kTrial;
  const auto &tally = python_->tally;
  context.is_trial = is_trial;
  context.has_energy = reads_energy_ && (is_trial ? tally.energy_was_asked() : tally.energy_is_fresh());
  context.has_virial = reads_virial_ && !is_trial && tally.virial_is_fresh();
  if (is_trial && reads_energy_ && !context.has_energy)
    nnpal::fail(error, FLERR,
                "fix {} (python/hook {}): a command or fix evaluates forces without the energy, which this "
                "hook reads; "
                "unfix it before",
                id, spec_);
  if ((reads_energy_ && !context.has_energy) || (reads_virial_ && !is_trial && !context.has_virial))
    nnpal::fail(error, FLERR,
                "fix {} (python/hook {}): LAMMPS did not tally energy and virial on step {}; after run ... "
                "pre no, run "
                "once without it",
                id, spec_, update->ntimestep);
  if (!is_trial) ask_for_tally();
  if (!reads_energy_ && !reads_virial_) return;
  context.potential = tally.sum();
  for (const auto *other : earlier_potentials_) {
    const auto &outputs = other->python_->hook->outputs;
    context.potential.energy += outputs.energy;
    for (int i = 0; i < 6; i++) context.potential.virial[i] += outputs.virial[i];
  }
}

void FixPythonHook::call_pre_reverse()
{
  if (!python_->hook->has(Hook::kPreReverse)) return;
  python_->context.forces_are_partial = true;
  call(Hook::kPreReverse);
  python_->context.forces_are_partial = false;
}

// Every force evaluation begins here
void FixPythonHook::pre_force(int)
{
  evaluation_ = Evaluation::kBegun;
}
void FixPythonHook::min_pre_force(int)
{
  evaluation_ = Evaluation::kBegun;
}
void FixPythonHook::setup_pre_force(int)
{
  evaluation_ = Evaluation::kBegun;
}

// Only the integrator calls this, after building a step's neighbor lists
void FixPythonHook::post_neighbor()
{
  exchanged_step_ = update->ntimestep;
}

bool FixPythonHook::takes_part_in_evaluations() const
{
  return python_->hook->has(Hook::kPreReverse) || python_->hook->has(Hook::kPostForce);
}

// Whether neighbor lists were built in this step, but not by the integrator: by a Monte Carlo fix, before
// atoms are exchanged. Fix charge/regulation also calls pre_reverse for its trial states. A hook that takes
// no part in evaluations is not told of the integrator's lists, and would never see a trial state end.
bool FixPythonHook::is_before_exchange() const
{
  return takes_part_in_evaluations() && neighbor->lastcall == update->ntimestep &&
         exchanged_step_ != update->ntimestep;
}

void FixPythonHook::pre_reverse(int, int)
{
  evaluation_ = is_before_exchange() ? Evaluation::kTrial : Evaluation::kOfStep;
  is_in_run_ = true;
  read_potential();
  call_pre_reverse();
}

void FixPythonHook::min_pre_reverse(int, int)
{
  evaluation_ = Evaluation::kOfStep;
  read_potential();
  call_pre_reverse();
}

// During a run only fix sgcmc calls this, when it evaluates again after a move
void FixPythonHook::setup_pre_reverse(int, int)
{
  evaluation_ = is_in_run_ && takes_part_in_evaluations() ? Evaluation::kTrial : Evaluation::kOfStep;
  read_potential();
  if (!is_in_run_ && python_->hook->has(Hook::kSetup)) call(Hook::kSetup);
  call_pre_reverse();
}

void FixPythonHook::setup(int vflag)
{
  post_force(vflag);
}
void FixPythonHook::min_setup(int vflag)
{
  post_force(vflag);
}
void FixPythonHook::min_post_force(int vflag)
{
  post_force(vflag);
}

void FixPythonHook::post_force(int)
{
  if (evaluation_ == Evaluation::kBegun) evaluate_trial();
  if (python_->hook->has(Hook::kPostForce)) call(Hook::kPostForce);
  python_->context.is_trial = python_->context.forces_are_unused = false;
}

// A force evaluation reached post_force without pre_reverse: that of a Monte Carlo fix, which reads the
// energy right afterwards.
void FixPythonHook::evaluate_trial()
{
  evaluation_ = Evaluation::kTrial;
  python_->context.forces_are_unused = true;    // ghosts' forces stay where they are
  read_potential();
  call_pre_reverse();
}

void FixPythonHook::end_of_step()
{
  if (update->whichflag == 1) call(Hook::kEndOfStep);
}

// LAMMPS calls this for every fix, whatever its mask
void FixPythonHook::post_run()
{
  is_in_run_ = false;
  if (python_->hook->has(Hook::kPostRun)) call(Hook::kPostRun);
}

double FixPythonHook::compute_scalar()
{
  return python_->hook->outputs.energy;
}
double FixPythonHook::compute_vector(int index)
{
  return python_->hook->outputs.vector[index];
}

void FixPythonHook::write_restart(FILE *file)
{
  std::string state;
  settle(complaint_of([&] { state = python_->hook->state(); }));
  if (comm->me != 0) return;
  const int size = static_cast<int>(sizeof(std::int64_t) + state.size());    // LAMMPS's own prefix
  const std::int64_t length = static_cast<std::int64_t>(state.size());
  fwrite(&size, sizeof(int), 1, file);
  fwrite(&length, sizeof(length), 1, file);
  fwrite(state.data(), 1, state.size(), file);
}

void FixPythonHook::restart(char *buffer)
{
  std::int64_t length;
  std::memcpy(&length, buffer, sizeof(length));
  const std::string state(buffer + sizeof(length), static_cast<std::size_t>(length));
  settle(complaint_of([&] { python_->hook->load_state(state); },
                      [this] { return place_after("load_state_dict"); }));
}

void FixPythonHook::call(int method)
{
  const bool is_trial = python_->context.is_trial;
  const bool writes_forces = !is_trial && (method == Hook::kPreReverse || method == Hook::kPostForce);
  const bool forces_were_finite = writes_forces && forces_are_finite();
  const auto kind = static_cast<Hook::Method>(method);
  std::string complaint = complaint_of([&] { python_->hook->call(kind, is_trial); },
                                       [&] { return place_after(Hook::name_of(kind)); });
  if (complaint.empty()) complaint = trouble_after(method, forces_were_finite);

  auto &outputs = python_->hook->outputs;
  auto &row = python_->row;
  row.resize(comm->nprocs > 1 ? outputs.size(is_trial) : 0);
  for (std::size_t place = 0; place < row.size(); place++) row[place] = outputs.at(place);
  settle(complaint, row);
  for (std::size_t place = 0; place < row.size(); place++) outputs.set(place, row[place]);
  // LAMMPS sums the virials of all ranks; the hook's is the total
  for (int i = 0; i < 6; i++) virial[i] = comm->me == 0 ? outputs.virial[i] : 0.0;
}

bool FixPythonHook::forces_are_finite() const
{
  return atom->nlocal == 0 || nnpal::first_not_finite(atom->f[0], atom->nlocal) < 0;
}

// The fault in the numbers after a call, or "". The hook is not blamed for forces that were not finite
// before.
std::string FixPythonHook::trouble_after(int method, bool forces_were_finite) const
{
  std::string found;
  if (method != Hook::kSetup) found = python_->hook->outputs.not_finite(python_->context.is_trial);
  if (found.empty() && forces_were_finite && !forces_are_finite()) {
    const int i = nnpal::first_not_finite(atom->f[0], atom->nlocal);
    const double *f = atom->f[i];
    found = fmt::format("force on atom {} is ({} {} {}); expected finite numbers", atom->tag[i], f[0], f[1],
                        f[2]);
  }
  return found.empty() ? found : found + place_after(Hook::name_of(static_cast<Hook::Method>(method)));
}

std::string FixPythonHook::place_after(const char *method) const
{
  return fmt::format(" on rank {}, after {} at step {}{}", comm->me, method, update->ntimestep,
                     python_->context.is_trial ? " (a trial state of a Monte Carlo fix)" : "");
}

void FixPythonHook::check_same_outputs()
{
  static constexpr const char *kFacts[] = {"number of values in vector", "whether it has energy (1 yes)",
                                           "whether it has a state (1 yes)"};
  const Hook &hook = *python_->hook;
  std::vector<double> facts{static_cast<double>(hook.outputs.vector.size()), hook.has_energy() ? 1.0 : 0.0,
                            hook.has_state() ? 1.0 : 0.0};
  std::string complaint;
  if (nnpal::agree(
          complaint, facts, [](std::size_t i) { return kFacts[i]; }, python_->ranks, patience_) !=
      nnpal::Verdict::kAllWell)
    nnpal::fail(error, FLERR, "fix {} (python/hook {}): {}", id, spec_, complaint);
}

void FixPythonHook::settle(const std::string &complaint)
{
  std::vector<double> none;
  settle(complaint, none);
}

void FixPythonHook::settle(std::string complaint, std::vector<double> &outputs)
{
  const auto name_of = [this](std::size_t place) {
    return fmt::format("at step {} {}", update->ntimestep, nnpal::Outputs::name(place));
  };
  const nnpal::Verdict verdict = nnpal::agree(complaint, outputs, name_of, python_->ranks, patience_);
  if (verdict == nnpal::Verdict::kAllWell) return;
  if (verdict == nnpal::Verdict::kAgreed)
    nnpal::fail(error, FLERR, "fix {} (python/hook {}): {}", id, spec_, complaint);

  // The others wait in a collective call of the hook that this rank will never make
  const std::string text =
      fmt::format("ERROR on rank {}: fix {} (python/hook {}): {}\n", comm->me, id, spec_, complaint);
  fputs(text.c_str(), stdout);
  if (logfile) fputs(text.c_str(), logfile);
  fflush(nullptr);
  std::this_thread::sleep_for(
      std::chrono::milliseconds(500));    // lets mpirun forward the text before it ends all ranks
  MPI_Abort(universe->uworld, 1);
}

extern "C" __attribute__((visibility("default"))) void *nnpal_create_fix_python_hook(void *lmp, int narg,
                                                                                     char **arg)
{
  return new FixPythonHook(static_cast<LAMMPS *>(lmp), narg, arg);
}
