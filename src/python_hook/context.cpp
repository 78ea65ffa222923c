#include "context.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "fix.h"
#include "force.h"
#include "group.h"
#include "input.h"
#include "modify.h"
#include "universe.h"
#include "update.h"
#include "utils.h"

#include <algorithm>
#include <cmath>
#include <pybind11/stl.h>

using LAMMPS_NS::bigint;
using LAMMPS_NS::tagint;

namespace nnpal {
namespace {

py::object communicator(MPI_Comm ranks)
{
  try {
    return py::module_::import("mpi4py.MPI").attr("Comm").attr("f2py")(MPI_Comm_c2f(ranks));
  } catch (py::error_already_set &failed) {
    if (!failed.matches(PyExc_ImportError)) throw;
    const std::string said = py::str(failed.value());
    const std::string text =
        "mpi4py cannot be imported next to the MPI of this LAMMPS (" + said +
        "); install mpi4py, or link LAMMPS's MPI library by the name that mpi4py loads (docs/install.md)";
    py::raise_from(failed, PyExc_ImportError, text.c_str());
    throw py::error_already_set();
  }
}

py::array vector3(double x, double y, double z)
{
  py::array_t<double> array(3);
  double *data = array.mutable_data();
  data[0] = x, data[1] = y, data[2] = z;
  return array;
}

// Since 2025 LAMMPS's function takes the source location
template <typename Domain>
auto shorten(Domain &domain, double &dx, double &dy, double &dz, int)
    -> decltype(domain.minimum_image_big(FLERR, dx, dy, dz))
{
  domain.minimum_image_big(FLERR, dx, dy, dz);
}
template <typename Domain> void shorten(Domain &domain, double &dx, double &dy, double &dz, long)
{
  domain.minimum_image_big(dx, dy, dz);
}

}    // namespace

[[noreturn]] void throw_hook_error(const std::string &message)
{
  py::object type = py::module_::import("nnpal.hooks").attr("HookError");
  PyErr_SetString(type.ptr(), message.c_str());
  throw py::error_already_set();
}

template <typename T> py::object Context::rows(View &view, T **data)
{
  const int n = atom->nlocal;
  const T *first = n > 0 ? data[0] : nullptr;
  if (view.n != n || view.data != first) {
    view.n = n;
    view.data = first;
    if (n == 0)
      view.array = py::array_t<T>(std::vector<py::ssize_t>{0, 3});
    else
      view.array = py::array_t<T>(std::vector<py::ssize_t>{n, 3}, first,
                                  py::none());    // with a base, NumPy does not copy
  }
  return view.array;
}

template <typename T> py::object Context::values(View &view, T *data, int n)
{
  if (view.n != n || view.data != data) {
    view.n = n;
    view.data = data;
    if (n == 0)
      view.array = py::array_t<T>(std::vector<py::ssize_t>{0});
    else
      view.array = py::array_t<T>(std::vector<py::ssize_t>{n}, data, py::none());
  }
  return view.array;
}

py::object Context::positions()
{
  return rows(x_, atom->x);
}
py::object Context::velocities()
{
  return rows(v_, atom->v);
}
py::object Context::forces()
{
  return rows(f_, atom->f);
}
py::object Context::tags()
{
  return values(tag_, atom->tag, atom->nlocal);
}
py::object Context::types()
{
  return values(type_, atom->type, atom->nlocal);
}
py::object Context::masks()
{
  return values(mask_, atom->mask, atom->nlocal);
}

py::object Context::masses()
{
  if (!atom->mass) throw_hook_error("this atom_style has a mass for each atom and none for each type");
  return values(mass_, atom->mass, atom->ntypes + 1);
}

int Context::group_index(const std::string &name) const
{
  const int index = LAMMPS_NS::Pointers::group->find(name);
  if (index < 0) throw_hook_error("there is no group " + name + "; define it first: group " + name + " ...");
  return index;
}

namespace {
py::array atoms_with_bit(const int *mask, int n, int bit)
{
  py::array_t<bool> chosen(n);
  bool *data = chosen.mutable_data();
  for (int i = 0; i < n; i++) data[i] = (mask[i] & bit) != 0;
  return chosen;
}
}    // namespace

py::array Context::group_mask(const std::string &name) const
{
  return atoms_with_bit(atom->mask, atom->nlocal, LAMMPS_NS::Pointers::group->bitmask[group_index(name)]);
}

py::array Context::own_group_mask() const
{
  return atoms_with_bit(atom->mask, atom->nlocal, fix_->groupbit);
}

py::array Context::excluded() const
{
  py::array_t<bool> chosen(atom->nlocal);
  bool *data = chosen.mutable_data();
  const bool any = exclusion_.any();
  for (int i = 0; i < atom->nlocal; i++) data[i] = any && exclusion_.holds(i);
  return chosen;
}

bigint Context::n_excluded() const
{
  if (!exclusion_.any()) return 0;    // set by the script, so the same on every rank
  bigint mine = 0, all;
  for (int i = 0; i < atom->nlocal; i++) mine += exclusion_.holds(i) ? 1 : 0;
  MPI_Allreduce(&mine, &all, 1, MPI_LMP_BIGINT, MPI_SUM, world);
  return all;
}

int Context::group_bit() const
{
  return fix_->groupbit;
}
int Context::n_local() const
{
  return atom->nlocal;
}
bigint Context::n_atoms() const
{
  return atom->natoms;
}
bigint Context::n_group() const
{
  return LAMMPS_NS::Pointers::group->count(fix_->igroup);
}

py::array Context::box() const
{
  py::array_t<double> box(std::vector<py::ssize_t>{3, 3});
  double *h = box.mutable_data();
  h[0] = domain->xprd, h[1] = 0.0, h[2] = 0.0;
  h[3] = domain->xy, h[4] = domain->yprd, h[5] = 0.0;
  h[6] = domain->xz, h[7] = domain->yz, h[8] = domain->zprd;
  return box;
}

py::array Context::origin() const
{
  return vector3(domain->boxlo[0], domain->boxlo[1], domain->boxlo[2]);
}

py::tuple Context::periodic() const
{
  return py::make_tuple(domain->xperiodic != 0, domain->yperiodic != 0, domain->zperiodic != 0);
}

double Context::volume() const
{
  return domain->xprd * domain->yprd * domain->zprd;
}

// Not Domain's own flag, which includes shrink-wrapping (boundary s and m): that is not a strain.
bool Context::box_changes() const
{
  const auto &fixes = LAMMPS_NS::Pointers::modify->get_fix_list();
  return std::any_of(fixes.begin(), fixes.end(), [](const LAMMPS_NS::Fix *fix) {
    return (fix->box_change & (LAMMPS_NS::Fix::BOX_CHANGE_SIZE | LAMMPS_NS::Fix::BOX_CHANGE_SHAPE)) != 0;
  });
}

bigint Context::step() const
{
  return update->ntimestep;
}
// Like thermo_style's time: correct even if the timestep has changed
double Context::time() const
{
  return update->atime + static_cast<double>(update->ntimestep - update->atimestep) * update->dt;
}
double Context::dt() const
{
  return update->dt;
}
bool Context::minimizing() const
{
  return update->whichflag == 2;
}
std::vector<std::string> Context::fix_styles() const
{
  std::vector<std::string> styles;
  for (const auto *fix : modify->get_fix_list()) styles.emplace_back(fix->style);
  return styles;
}
std::string Context::units() const
{
  return update->unit_style;
}
double Context::boltz() const
{
  return force->boltz;
}
double Context::nktv2p() const
{
  return force->nktv2p;
}
double Context::ftm2v() const
{
  return force->ftm2v;
}
double Context::mvv2e() const
{
  return force->mvv2e;
}
double Context::qqr2e() const
{
  return force->qqr2e;
}

double Context::potential_energy() const
{
  if (!has_energy)
    throw_hook_error(
        "the potential energy was not tallied on this step, as the hook's `reads` does not name energy");
  return potential.energy;
}

py::array Context::virial() const
{
  if (!has_virial && is_trial)
    throw_hook_error("the virial was asked for in a trial state, of which a Monte Carlo fix evaluates the "
                     "energy alone; leave "
                     "the virial out where context.is_trial is true");
  if (!has_virial)
    throw_hook_error("the virial was not tallied on this step, as the hook's `reads` does not name virial");
  py::array_t<double> virial(6);
  for (int i = 0; i < 6; i++) virial.mutable_data()[i] = potential.virial[i];
  return virial;
}

py::object Context::world_communicator()
{
  if (!world_) world_ = communicator(world);
  return world_;
}

py::object Context::universe_communicator()
{
  if (!universe_) universe_ = communicator(universe->uworld);
  return universe_;
}

int Context::partition() const
{
  return universe->iworld;
}
int Context::n_partitions() const
{
  return universe->nworlds;
}

std::string Context::fix_id() const
{
  return fix_->id;
}
std::string Context::group() const
{
  return LAMMPS_NS::Pointers::group->names[fix_->igroup];
}
bool Context::energy_yes() const
{
  return fix_->thermo_energy != 0;
}
bool Context::virial_yes() const
{
  return fix_->thermo_virial != 0;
}

void Context::scale_forces(double factor)
{
  if (!forces_are_partial)
    throw_hook_error(
        "scale_forces can be called in pre_reverse alone: later, other fixes have added their forces");
  if (forces_are_unused) return;    // LAMMPS does not clear them between trials: factors would accumulate
  const int n = atom->nlocal + atom->nghost;
  if (n == 0) return;
  double *f = atom->f[0];
  for (int i = 0; i < 3 * n; i++) f[i] *= factor;
}

// Looks up the positions, into `found_`.
void Context::look_up(const std::vector<tagint> &wanted)
{
  const auto trouble = lookup_.positions(wanted, found_);
  if (trouble.is_excluded)
    throw_hook_error(
        "atom " + std::to_string(trouble.tag) +
        " is excluded from all others, by a Monte Carlo fix that tries to delete it or by neigh_modify "
        "exclude; keep the atoms that this hook needs out of that fix's group");
  if (trouble.tag) throw_hook_error("there is no atom with ID " + std::to_string(trouble.tag));
}

py::array Context::positions_of(const std::vector<tagint> &wanted)
{
  look_up(wanted);
  py::array_t<double> x(std::vector<py::ssize_t>{static_cast<py::ssize_t>(wanted.size()), 3});
  std::copy(found_.begin(), found_.end(), x.mutable_data());
  return x;
}

// As Python numbers, which are faster than arrays of three.
py::tuple Context::separation(tagint from, tagint to)
{
  wanted_.assign({from, to});
  look_up(wanted_);
  const double *a = found_.data(), *b = a + 3;
  double d[3] = {b[0] - a[0], b[1] - a[1], b[2] - a[2]};
  shorten(*domain, d[0], d[1], d[2], 0);
  const double lengths[3] = {domain->xprd, domain->yprd, domain->zprd};
  const int is_periodic[3] = {domain->xperiodic, domain->yperiodic, domain->zperiodic};
  double share = 0.0;
  for (int k = 0; k < 3; k++)
    if (is_periodic[k]) share = std::max(share, std::abs(d[k]) / lengths[k]);
  return py::make_tuple(py::make_tuple(d[0], d[1], d[2]), share, py::make_tuple(a[0], a[1], a[2]),
                        py::make_tuple(b[0], b[1], b[2]));
}

void Context::add_force(tagint tag, double fx, double fy, double fz)
{
  const int i = lookup_.find(tag);
  if (i < 0) return;
  double *f = atom->f[i];
  f[0] += fx, f[1] += fy, f[2] += fz;
}

py::array Context::center_of_mass(const std::string &group_name)
{
  const int index = group_index(group_name);
  double center[3];
  auto *groups = LAMMPS_NS::Pointers::group;
  groups->xcm(index, groups->mass(index), center);
  return vector3(center[0], center[1], center[2]);
}

double Context::group_mass(const std::string &group_name)
{
  return LAMMPS_NS::Pointers::group->mass(group_index(group_name));
}

bigint Context::group_count(const std::string &group_name)
{
  return LAMMPS_NS::Pointers::group->count(group_index(group_name));
}

py::array Context::minimum_image(double dx, double dy, double dz) const
{
  shorten(*domain, dx, dy, dz, 0);
  return vector3(dx, dy, dz);
}

void Context::log(const std::string &text) const
{
  if (comm->me == 0) LAMMPS_NS::utils::logmesg(lmp, text + "\n");
}

void Context::write_restart(const std::string &path)
{
  py::gil_scoped_release released;    // other hooks are asked for their state
  input->one("write_restart \"" + LAMMPS_NS::utils::utf8_subst(path) + "\"");
}

}    // namespace nnpal
