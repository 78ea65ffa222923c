#include "list/atoms_to_tile.h"

#include "list/atom_messages.h"

#include "atom.h"
#include "lmptype.h"

#include <cmath>
#include <stdexcept>
#include <vector>

namespace nnpal {
namespace {

// A center's edges to one element, or to all elements before they are sorted.
template <class T> struct Edges {
  T *x, *y, *z;
  int *neighbor;
};

// Every neighbor is written, and overwritten by the next one if it is too far: no branch to mispredict.
// Returns the number of edges; `least` receives the smallest squared distance.
template <class T>
int write_edges(const LAMMPS_NS::Atom &atom, const NeighborLists &lists, const AbsentAtoms &absent,
                double cutoff_squared, int i, const Edges<T> &to, double &least)
{
  const double *const x = atom.x[0], *const own = atom.x[i];
  const int *const neighbors = lists.of[i];
  const int n_neighbors = lists.number[i];
  const bool some_absent = absent.possible();
  const double own_x = own[0], own_y = own[1], own_z = own[2];
  int n = 0;
  for (int jj = 0; jj < n_neighbors; ++jj) {
    const int j = neighbors[jj] & NEIGHMASK;
    if (some_absent && absent.contain(atom.mask[j], atom.type[j])) continue;
    const double *const its = x + 3 * static_cast<std::int64_t>(j);
    const double vx = its[0] - own_x, vy = its[1] - own_y, vz = its[2] - own_z;
    const double squared = vx * vx + vy * vy + vz * vz;
    to.x[n] = static_cast<T>(vx);
    to.y[n] = static_cast<T>(vy);
    to.z[n] = static_cast<T>(vz);
    to.neighbor[n] = j;
    n += squared < cutoff_squared;
    least = squared < least ? squared : least;
  }
  return n;
}

// Memory for the edges of one center, kept between calls.
template <class T> struct Unsorted {
  std::vector<T> numbers;
  std::vector<int> neighbor, element;

  Edges<T> room_for(int n)
  {
    const auto size = static_cast<std::size_t>(n);
    if (neighbor.size() < size) {
      numbers.resize(3 * size);
      neighbor.resize(size);
      element.resize(size);
    }
    T *const all = numbers.data();
    return {all, all + neighbor.size(), all + 2 * neighbor.size(), neighbor.data()};
  }
};

// Stable sort of `from` by the neighbors' elements; `start` receives the first edge of each element.
template <class T>
void sort_by_element(const Edges<T> &from, int n, const int *type, const int *element_of_type, int n_elements,
                     int *element, const Edges<T> &to, std::int64_t first, std::int64_t *start)
{
  for (int e = 0; e <= n_elements; ++e) start[e] = 0;
  for (int k = 0; k < n; ++k) {
    element[k] = element_of_type[type[from.neighbor[k]]];
    if (element[k] < 0)
      throw std::logic_error("nnpal: the neighbor list has an atom that is not the model's");
    ++start[element[k] + 1];
  }
  for (int e = 0; e < n_elements; ++e) start[e + 1] += start[e];
  for (int k = 0; k < n; ++k) {
    const std::int64_t at = start[element[k]]++;
    to.x[at] = from.x[k];
    to.y[at] = from.y[k];
    to.z[at] = from.z[k];
    to.neighbor[at] = from.neighbor[k];
  }
  for (int e = n_elements; e > 0; --e) start[e] = first + start[e - 1];
  start[0] = first;
}

std::string overlap(const LAMMPS_NS::Atom &atom, int i, const int *neighbors, int n)
{
  for (int k = 0; k < n; ++k) {
    double squared = 0.0;
    for (int a = 0; a < 3; ++a) squared += std::pow(atom.x[neighbors[k]][a] - atom.x[i][a], 2);
    if (squared < kTooClose * kTooClose) return too_close(atom, i, neighbors[k], std::sqrt(squared));
  }
  return "";
}

}    // namespace

template <class T>
std::string atoms_to_tile(const LAMMPS_NS::Atom &atom, const NeighborLists &lists, const AbsentAtoms &absent,
                          const int *element_of_type, int n_elements, double cutoff, const int *centers,
                          int n_centers, CenterTile &tile)
{
  static thread_local Unsorted<T> unsorted;
  CenterNumbers<T> &numbers = tile.numbers<T>();
  std::int64_t capacity = 1;    // place to which a too distant neighbor is written
  for (int c = 0; c < n_centers; ++c) capacity += lists.number[centers[c]];
  tile.make_room<T>(n_centers, n_elements, capacity);
  T *const vec = numbers.vec.data();
  std::int64_t n_edges = 0;
  for (int c = 0; c < n_centers; ++c) {
    const int i = centers[c];
    tile.elements[c] = element_of_type[atom.type[i]];
    const Edges<T> to{vec + n_edges, vec + tile.capacity + n_edges, vec + 2 * tile.capacity + n_edges,
                      tile.neighbor.data() + n_edges};
    const Edges<T> found = n_elements > 1 ? unsorted.room_for(lists.number[i] + 1) : to;
    double least = cutoff * cutoff;
    const int n = write_edges(atom, lists, absent, cutoff * cutoff, i, found, least);
    if (least < kTooClose * kTooClose) return overlap(atom, i, found.neighbor, n);
    std::int64_t *const start = tile.start.data() + static_cast<std::int64_t>(c) * n_elements;
    if (n_elements > 1)
      sort_by_element(found, n, atom.type, element_of_type, n_elements, unsorted.element.data(), to, n_edges,
                      start);
    n_edges += n;
    start[n_elements] = n_edges;
  }
  tile.n_edges = static_cast<int>(n_edges);
  return "";
}

template std::string atoms_to_tile<float>(const LAMMPS_NS::Atom &, const NeighborLists &, const AbsentAtoms &,
                                          const int *, int, double, const int *, int, CenterTile &);
template std::string atoms_to_tile<double>(const LAMMPS_NS::Atom &, const NeighborLists &,
                                           const AbsentAtoms &, const int *, int, double, const int *, int,
                                           CenterTile &);

}    // namespace nnpal
