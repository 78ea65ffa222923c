#include "potential.h"

#include "angle.h"
#include "atom.h"
#include "bond.h"
#include "comm.h"
#include "dihedral.h"
#include "domain.h"
#include "force.h"
#include "improper.h"
#include "kspace.h"
#include "pair.h"
#include "update.h"

namespace nnpal {
namespace {

template <typename Style> void add_bonded(const Style *style, double *sum)
{
  if (!style) return;
  sum[0] += style->energy;
  for (int i = 0; i < 6; i++) sum[1 + i] += style->virial[i];
}

}    // namespace

bool PotentialTally::energy_is_fresh() const
{
  return update->eflag_global == update->ntimestep;
}
bool PotentialTally::virial_is_fresh() const
{
  return update->vflag_global == update->ntimestep;
}

bool PotentialTally::energy_was_asked() const
{
  return !force->pair || force->pair->eflag_global != 0;
}

Potential PotentialTally::sum() const
{
  double mine[7] = {};
  if (force->pair) {
    mine[0] = force->pair->eng_vdwl + force->pair->eng_coul;
    for (int i = 0; i < 6; i++) mine[1 + i] = force->pair->virial[i];
  }
  if (atom->molecular != LAMMPS_NS::Atom::ATOMIC) {
    add_bonded(force->bond, mine);
    add_bonded(force->angle, mine);
    add_bonded(force->dihedral, mine);
    add_bonded(force->improper, mine);
  }
  double all[7];
  if (comm->nprocs == 1)
    for (int i = 0; i < 7; i++) all[i] = mine[i];
  else
    MPI_Allreduce(mine, all, 7, MPI_DOUBLE, MPI_SUM, world);

  if (force->kspace) add_bonded(force->kspace, all);    // summed over ranks already
  if (force->pair && force->pair->tail_flag) {
    const double volume = domain->xprd * domain->yprd * domain->zprd;
    all[0] += force->pair->etail / volume;
    for (int i = 0; i < 3; i++) all[1 + i] += force->pair->ptail / volume;
  }
  Potential potential;
  potential.energy = all[0];
  for (int i = 0; i < 6; i++) potential.virial[i] = all[1 + i];
  return potential;
}

}    // namespace nnpal
