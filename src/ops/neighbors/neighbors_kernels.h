// Neighbors from cells: an atom's neighbors are in its own cell or the 26 around it. Distances are double, as
// on the pair style's host path, so that both find the same edges.
#pragma once

#include "neighbors/neighbors.h"
#include "support/counting_sort_kernels.h"

#include <cmath>

namespace nnpal::NNPAL_TWIN {

constexpr double kLongestSpread = 1e15;    // Å; beyond, cell indices overflow

struct MakeGrid : Always {
  CellPointers cells;

  NNPAL_KERNEL void operator()(std::int64_t) const
  {
    CellGrid &grid = *cells.grid;
    double n_cells = 1.0;
    grid.is_bad = 0;
    for (int k = 0; k < 3; ++k) {
      double extent = cells.box[3 + k] - cells.box[k];
      if (!(extent >= 0.0 && extent < kLongestSpread)) {
        grid.is_bad = 1;
        extent = 0.0;
      }
      const double side = cells.cutoff * (1.0 + 1e-9) + extent * 1e-15;    // more than rounding
      const double n = extent > side ? std::floor(extent / side) : 1.0;
      n_cells *= n;
      grid.origin[k] = cells.box[k];
      grid.n[k] = static_cast<std::int64_t>(n);
      grid.inverse_side[k] = extent > 0.0 ? n / extent : 0.0;
    }
    grid.is_hashed = n_cells > static_cast<double>(cells.n_groups);
  }
};

NNPAL_KERNEL std::int64_t cell_along(const CellGrid &grid, const double *position, int k)
{
  const double place = (position[k] - grid.origin[k]) * grid.inverse_side[k];
  if (!(place > 0.0)) return 0;
  const double last = static_cast<double>(grid.n[k] - 1);
  return static_cast<std::int64_t>(place < last ? place : last);
}

NNPAL_KERNEL std::int64_t group_of_cell(const CellGrid &grid, std::int64_t n_groups, std::int64_t a,
                                        std::int64_t b, std::int64_t c)
{
  if (!grid.is_hashed) return (c * grid.n[1] + b) * grid.n[0] + a;
  const std::int64_t numbers[3] = {a, b, c};
  std::uint64_t hash = 0;
  for (int k = 0; k < 3; ++k) {
    hash = (hash ^ static_cast<std::uint64_t>(numbers[k])) * 0x9E3779B97F4A7C15u;    // 2^64 / golden ratio
    hash ^= hash >> 32;
  }
  return static_cast<std::int64_t>(hash % static_cast<std::uint64_t>(n_groups));
}

struct FindGroups : Always {
  CellPointers cells;

  NNPAL_KERNEL void operator()(std::int64_t atom) const
  {
    const CellGrid &grid = *cells.grid;
    const double *position = cells.positions + 3 * atom;
    cells.group[atom] = group_of_cell(grid, cells.n_groups, cell_along(grid, position, 0),
                                      cell_along(grid, position, 1), cell_along(grid, position, 2));
  }
};

struct CopyPositions : Always {
  CellPointers cells;

  NNPAL_KERNEL void operator()(std::int64_t place) const
  {
    for (int k = 0; k < 3; ++k)
      cells.sorted[3 * place + k] = cells.positions[3 * static_cast<std::int64_t>(cells.order[place]) + k];
  }
};

// Call act(begin, end, is_wanted) for each run of places that may contain an atom's neighbors;
// is_wanted(position) returns whether an atom there belongs to the run.
template <class Do> NNPAL_KERNEL void for_runs(const CellPointers &cells, std::int64_t atom, const Do &act)
{
  const CellGrid grid = *cells.grid;
  if (grid.is_bad) return;
  std::int64_t low[3], high[3];
  for (int k = 0; k < 3; ++k) {
    const std::int64_t at = cell_along(grid, cells.positions + 3 * atom, k);
    low[k] = at > 0 ? at - 1 : 0;
    high[k] = at + 1 < grid.n[k] ? at + 1 : grid.n[k] - 1;
  }
  for (std::int64_t c = low[2]; c <= high[2]; ++c)
    for (std::int64_t b = low[1]; b <= high[1]; ++b) {
      if (!grid.is_hashed) {    // consecutive cells along x are one run of atoms
        const std::int64_t row = (c * grid.n[1] + b) * grid.n[0];
        act(cells.start[row + low[0]], cells.start[row + high[0] + 1], [](const double *) { return true; });
        continue;
      }
      // Other cells may have the same hash, even among the 27
      for (std::int64_t a = low[0]; a <= high[0]; ++a) {
        const std::int64_t group = group_of_cell(grid, cells.n_groups, a, b, c);
        act(cells.start[group], cells.start[group + 1], [&](const double *other) {
          return cell_along(grid, other, 0) == a && cell_along(grid, other, 1) == b &&
                 cell_along(grid, other, 2) == c;
        });
      }
    }
}

// From a position to the atom at a place: vector and squared length, always rounded in the same way, because
// counted and written edges must agree.
struct Separation {
  double vec[3], squared;
  std::int32_t other;

  NNPAL_KERNEL Separation(const CellPointers &cells, const double *from, std::int64_t place)
  {
    other = cells.order[place];
    for (int k = 0; k < 3; ++k) vec[k] = cells.sorted[3 * place + k] - from[k];
#ifdef __CUDACC__
    squared =
        __dadd_rn(__dadd_rn(__dmul_rn(vec[0], vec[0]), __dmul_rn(vec[1], vec[1])), __dmul_rn(vec[2], vec[2]));
#else
    squared = vec[0] * vec[0] + vec[1] * vec[1] + vec[2] * vec[2];
#endif
  }
  NNPAL_KERNEL bool is_edge(const CellPointers &cells, std::int64_t atom) const
  {
    return squared < cells.cutoff * cells.cutoff && other != atom;
  }
};

struct Position {
  double x[3];

  NNPAL_KERNEL Position(const CellPointers &cells, std::int64_t atom)
  {
    for (int k = 0; k < 3; ++k) x[k] = cells.positions[3 * atom + k];
  }
};

// Items are places in the groups' order, so that adjacent threads read the same cells. Ghosts and atoms
// outside the requested part are skipped.
struct CountEdges : Always {
  CellPointers cells;
  EndPointers to;

  NNPAL_KERNEL void operator()(std::int64_t place) const
  {
    if (place == cells.n_atoms) {    // one extra item, for the ends
      to.ends[0] = 0;
      to.ends[to.n_centers + 1] = cells.grid->is_bad;
      return;
    }
    const std::int64_t atom = cells.order[place];
    if (atom >= to.n_centers) return;
    const Position own(cells, atom);
    std::int64_t n = 0;
    for_runs(cells, atom, [&](std::int64_t begin, std::int64_t end, const auto &is_wanted) {
      for (std::int64_t at = begin; at < end; ++at)
        n += Separation(cells, own.x, at).is_edge(cells, atom) && is_wanted(cells.sorted + 3 * at);
    });
    to.ends[atom + 1] = n;
  }
};

// A block processes atoms of some groups, which read the same cells, one after another; its threads test the
// atoms around that one in parallel, and write the edges that they find contiguously.
template <class T> struct FillEdges {
  static constexpr int kBlocksAtOnce = 16;    // per multiprocessor, which mostly waits for memory
  static constexpr std::int64_t kShares = 8;

  struct Shared {
    Votes found;
    double vec[3][kThreads], closest[kThreads];
    std::int32_t neighbor[kThreads];
  };

  CellPointers cells;
  EdgePointers<T> edges;
  std::int64_t n_blocks;

  NNPAL_KERNEL void operator()(const Block &block, Shared &shared) const
  {
    block.each([&](int thread) { shared.closest[thread] = INFINITY; });
    const std::int64_t n_groups = used_groups();
    for (std::int64_t item = block.index; item < n_groups * kShares; item += n_blocks) {
      const std::int64_t group = item / kShares, end = cells.start[group + 1];
      for (std::int64_t place = cells.start[group] + item % kShares; place < end; place += kShares) {
        const std::int64_t atom = cells.order[place], center = atom - edges.first;
        if (center >= 0 && center < edges.n_centers) fill(block, shared, atom, center);
      }
    }
    block.each([&](int thread) {
      if (thread > 0 || !edges.closest) return;
      double closest = INFINITY;
      for (const double own : shared.closest) closest = own < closest ? own : closest;
      if (closest < INFINITY) lower_atomically(edges.closest, closest);
    });
  }

private:
  NNPAL_KERNEL std::int64_t used_groups() const
  {
    const CellGrid &grid = *cells.grid;
    return grid.is_hashed ? cells.n_groups : grid.n[0] * grid.n[1] * grid.n[2];
  }

  NNPAL_KERNEL void fill(const Block &block, Shared &shared, std::int64_t atom, std::int64_t center) const
  {
    const Position own(cells, atom);
    std::int64_t edge = edges.ends[atom] - edges.ends[edges.first];
    for_runs(cells, atom, [&](std::int64_t begin, std::int64_t end, const auto &is_wanted) {
      for (; begin < end; begin += kThreads) {
        block.vote(
            [&](int thread) { return look(shared, own, atom, begin + thread, end, thread, is_wanted); },
            shared.found);
        const std::int64_t first = edge;
        edge += shared.found.count_all();
        block.each([&](int thread) {
          if (!shared.found.has(thread)) return;
          write(shared, first + shared.found.count_before(thread), center, thread);
        });
      }
    });
  }

  template <class IsWanted>
  NNPAL_KERNEL bool look(Shared &shared, const Position &own, std::int64_t atom, std::int64_t place,
                         std::int64_t end, int thread, const IsWanted &is_wanted) const
  {
    if (place >= end) return false;
    const Separation apart(cells, own.x, place);
    if (!apart.is_edge(cells, atom) || !is_wanted(cells.sorted + 3 * place)) return false;
    for (int k = 0; k < 3; ++k) shared.vec[k][thread] = apart.vec[k];
    shared.neighbor[thread] = apart.other;
    if (apart.squared < shared.closest[thread]) shared.closest[thread] = apart.squared;
    return true;
  }

  NNPAL_KERNEL void write(const Shared &shared, std::int64_t edge, std::int64_t center, int thread) const
  {
    if (edge >= edges.n_edges) return;    // the caller sees from the ends that the capacity was too small
    edges.center[edge] = center;
    edges.neighbor[edge] = shared.neighbor[thread] + edges.shift;
    for (int k = 0; k < 3; ++k) edges.vec[3 * edge + k] = static_cast<T>(shared.vec[k][thread]);
  }
};

// Fills the remaining capacity with padding, see neighbors.h.
template <class T> struct FillRoom : Always {
  static constexpr std::int64_t kItems = 4096;

  EdgePointers<T> edges;

  NNPAL_KERNEL void operator()(std::int64_t item) const
  {
    const std::int64_t n_edges = edges.ends[edges.first + edges.n_centers] - edges.ends[edges.first];
    for (std::int64_t edge = n_edges + item; edge < edges.n_edges; edge += kItems) {
      edges.center[edge] = edges.n_centers;
      edges.neighbor[edge] = -1;
      for (int k = 0; k < 3; ++k) edges.vec[3 * edge + k] = T(0);
    }
  }
};

// Force of an edge: -gradient on the neighbor, its opposite on the center. An edge's virial vec (x) force is
// assigned to the neighbor. Each thread has several edges, mostly of one center.
template <class T> struct PullToAtoms {
  static constexpr int kEdges = 4, kEdgesOfBlock = kEdges * kThreads;
  static constexpr int kBlocksAtOnce = 16;

  struct Shared {
    double virial[9][kThreads];
  };

  PullPointers<T> pull;

  NNPAL_KERNEL void operator()(const Block &block, Shared &shared) const
  {
    block.each([&](int thread) {
      double virial[9] = {};
      const std::int64_t begin = block.index * kEdgesOfBlock + thread * kEdges;
      const std::int64_t end = begin + kEdges < pull.n_edges ? begin + kEdges : pull.n_edges;
      for (std::int64_t g = 0; g < pull.n_gradients; ++g) pull_edges(g, begin, end, virial);
      for (int k = 0; k < 9; ++k) shared.virial[k][thread] = virial[k];
    });
    block.each([&](int thread) {
      if (thread >= 9) return;
      double sum = 0.0;
      for (int other = 0; other < kThreads; ++other) sum += shared.virial[thread][other];
      add_atomically(pull.virial + thread, sum);
    });
  }

private:
  NNPAL_KERNEL void pull_edges(std::int64_t g, std::int64_t begin, std::int64_t end, double *virial) const
  {
    double *forces = pull.forces + 3 * g * pull.n_atoms;
    const T *gradients = pull.gradients + 3 * g * pull.n_edges;
    std::int64_t center = -1;
    double on_center[3] = {};
    const auto flush = [&]() {
      for (int k = 0; k < 3 && center >= 0; ++k) add_atomically(forces + 3 * center + k, on_center[k]);
      on_center[0] = on_center[1] = on_center[2] = 0.0;
    };
    for (std::int64_t edge = begin; edge < end; ++edge) {
      if (pull.neighbor[edge] == -1) continue;    // padding
      if (pull.center[edge] + pull.first != center) {
        flush();
        center = pull.center[edge] + pull.first;
        if (center < 0 || center >= pull.n_atoms) refuse("edge_index[0, ", edge, center, pull.n_atoms);
      }
      const std::int64_t neighbor = pull.neighbor[edge] - pull.shift;
      if (neighbor < 0 || neighbor >= pull.n_atoms) refuse("edge_index[1, ", edge, neighbor, pull.n_atoms);
      for (int k = 0; k < 3; ++k) {
        const double on_neighbor = -static_cast<double>(gradients[3 * edge + k]);
        on_center[k] -= on_neighbor;
        add_atomically(forces + 3 * neighbor + k, on_neighbor);
        if (g > 0) continue;
        for (int a = 0; a < 3; ++a) {
          const double part = static_cast<double>(pull.vec[3 * edge + a]) * on_neighbor;
          virial[3 * a + k] += part;
          if (pull.virials) add_atomically(pull.virials + 9 * neighbor + 3 * a + k, part);
        }
      }
    }
    flush();
  }
};

inline void count_cells(const CellPointers &cells, Stream stream)
{
  launch_items(MakeGrid{{}, cells}, 1, stream);
  launch_items(FindGroups{{}, cells}, cells.n_atoms, stream);
  launch_items(CountKeys{{cells.group, cells.counts, cells.start, cells.order, nullptr}}, cells.n_atoms,
               stream);
}

inline void sort_cells(const CellPointers &cells, Stream stream)
{
  group_items({cells.group, cells.counts, cells.start, cells.order, nullptr}, cells.n_atoms, cells.n_groups,
              stream);
  launch_items(CopyPositions{{}, cells}, cells.n_atoms, stream);
}

inline void count_edges(const CellPointers &cells, const EndPointers &to, Stream stream)
{
  launch_items(CountEdges{{}, cells, to}, cells.n_atoms + 1, stream);
}

template <class T> void fill_edges(const CellPointers &cells, const EdgePointers<T> &edges, Stream stream)
{
  constexpr std::int64_t kMostBlocks = 1 << 15;
  const std::int64_t n_items = cells.n_groups * FillEdges<T>::kShares,
                     n_blocks = n_items < kMostBlocks ? n_items : kMostBlocks;
  launch_blocks(FillEdges<T>{cells, edges, n_blocks}, n_blocks, stream);
  launch_items(FillRoom<T>{{}, edges}, FillRoom<T>::kItems, stream);
}

template <class T> void pull_to_atoms(const PullPointers<T> &pull, Stream stream)
{
  constexpr std::int64_t kOfBlock = PullToAtoms<T>::kEdgesOfBlock;
  launch_blocks(PullToAtoms<T>{pull}, (pull.n_edges + kOfBlock - 1) / kOfBlock, stream);
}

template <class T> const NeighborFunctions<T> &neighbor_functions()
{
  static const NeighborFunctions<T> functions{count_cells, sort_cells, count_edges, fill_edges<T>,
                                              pull_to_atoms<T>};
  return functions;
}
template const NeighborFunctions<float> &neighbor_functions<float>();
template const NeighborFunctions<double> &neighbor_functions<double>();

}    // namespace nnpal::NNPAL_TWIN
