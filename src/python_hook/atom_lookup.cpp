#include "atom_lookup.h"

#include "atom.h"
#include "comm.h"

using LAMMPS_NS::tagint;

namespace nnpal {

namespace {
constexpr std::size_t kPlacesKept = 64;
constexpr double kExcluded = 1024.0;    // more than any number of owners
}    // namespace

int AtomLookup::find(tagint tag)
{
  Place *place = nullptr;
  for (auto &kept : places_)
    if (kept.tag == tag) place = &kept;
  if (place && place->index < atom->nlocal && place->index >= 0 && atom->tag[place->index] == tag)
    return place->index;

  int index = -1;
  if (atom->map_style != LAMMPS_NS::Atom::MAP_NONE && tag > 0 && tag <= atom->map_tag_max) {
    index = atom->map(tag);
    if (index >= atom->nlocal) index = -1;
  } else if (atom->map_style == LAMMPS_NS::Atom::MAP_NONE) {
    for (int i = 0; i < atom->nlocal && index < 0; i++)
      if (atom->tag[i] == tag) index = i;
  }
  if (place)
    place->index = index;
  else if (places_.size() < kPlacesKept)
    places_.push_back({tag, index});
  return index;
}

AtomLookup::Trouble AtomLookup::positions(const std::vector<tagint> &tags, std::vector<double> &x)
{
  const std::size_t n = tags.size();
  buffer_.assign(4 * n, 0.0);    // x y z, and how many ranks own the atom
  for (std::size_t i = 0; i < n; i++) {
    const int index = find(tags[i]);
    if (index < 0) continue;
    for (int d = 0; d < 3; d++) buffer_[4 * i + d] = atom->x[index][d];
    buffer_[4 * i + 3] = exclusion_.holds(index) ? kExcluded : 1.0;
  }
  if (comm->nprocs > 1)
    MPI_Allreduce(MPI_IN_PLACE, buffer_.data(), static_cast<int>(4 * n), MPI_DOUBLE, MPI_SUM, world);
  x.resize(3 * n);
  for (std::size_t i = 0; i < n; i++) {
    if (buffer_[4 * i + 3] != 1.0) return {tags[i], buffer_[4 * i + 3] == kExcluded};
    for (int d = 0; d < 3; d++) x[3 * i + d] = buffer_[4 * i + d];
  }
  return {};
}

}    // namespace nnpal
