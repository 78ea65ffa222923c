// A model evaluated from positions: one copy to the device, one back. Neighbors are found and forces summed
// there by torch.ops.nnpal. The host waits only for the result: the capacity for edges follows from their
// numbers in the last evaluation, and the few steps that need more, such as the first one, are repeated.
#include "torch_model.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/DeviceGuard.h>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/torch.h>

namespace nnpal {
namespace {

using torch::Tensor;

// Memory for the edges of the centers that are evaluated together, and for derived data. On a CPU they should
// stay in the cache; on a GPU they should fill the processors, and the size is reduced after an out-of-memory
// error.
constexpr std::int64_t kBytesOnCPU = 8 << 20, kBytesOnGPU = std::int64_t(2) << 30, kFewestBytes = 16 << 20;

using Cells = std::tuple<Tensor, Tensor, Tensor, Tensor>;

template <class Signature> auto operation(const char *name)
{
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

Cells cells(const Tensor &positions, double cutoff)
{
  static const auto op = operation<Cells(const Tensor &, double)>("nnpal::cells");
  return op.call(positions, cutoff);
}

Tensor count_neighbors(const Tensor &positions, const Cells &cells, std::int64_t n_centers, double cutoff)
{
  static const auto op = operation<Tensor(const Tensor &, const Tensor &, const Tensor &, const Tensor &,
                                          const Tensor &, std::int64_t, double)>("nnpal::count_neighbors");
  const auto &[grid, start, order, sorted] = cells;
  return op.call(positions, grid, start, order, sorted, n_centers, cutoff);
}

std::tuple<Tensor, Tensor> neighbors(const Tensor &positions, const Cells &cells, const Tensor &ends,
                                     const Chunk &chunk, double cutoff, torch::Dtype dtype,
                                     const std::optional<Tensor> &closest)
{
  static const auto op = operation<std::tuple<Tensor, Tensor>(
      const Tensor &, const Tensor &, const Tensor &, const Tensor &, const Tensor &, const Tensor &,
      std::int64_t, std::int64_t, std::int64_t, std::int64_t, double, at::ScalarType,
      const std::optional<Tensor> &)>("nnpal::neighbors");
  const auto &[grid, start, order, sorted] = cells;
  return op.call(positions, grid, start, order, sorted, ends, chunk.first, chunk.last, chunk.n_edges,
                 chunk.shift(), cutoff, dtype, closest);
}

// EdgeMarks::before on the device, then whether the positions are bad.
Tensor marks_of(const Tensor &ends, std::int64_t n_centers)
{
  return torch::cat({ends.slice(0, 0, n_centers, kCentersOfPart), ends.narrow(0, n_centers, 2)});
}

template <class T> EdgeMarks marks_from(const T *marks, std::int64_t n, std::int64_t n_centers)
{
  if (marks[n - 1] != 0)
    throw std::runtime_error("positions hold NaN or infinite values, or lie too far apart");
  return {n_centers, std::vector<std::int64_t>(marks, marks + n - 1)};
}

// Waits for the device.
EdgeMarks known_marks(const Tensor &ends, std::int64_t n_centers)
{
  const Tensor marks = marks_of(ends, n_centers).cpu();
  return marks_from(marks.const_data_ptr<std::int64_t>(), marks.numel(), n_centers);
}

// Sums over all chunks, float64 on the device.
struct Sums {
  Tensor forces, virial, virials, closest, member_energies;    // closest [1]: squared length
  std::vector<Tensor> energies, uq_energy, is_wrong;           // of each chunk

  Sums(std::int64_t n_gradients, std::int64_t n_atoms, bool per_atom, const Tensor &like) :
      forces(torch::zeros({n_gradients, n_atoms, 3}, like.options())),
      virial(torch::zeros({3, 3}, like.options())),
      virials(torch::zeros({per_atom ? n_atoms : 0, 3, 3}, like.options())),
      closest(torch::full({1}, INFINITY, like.options()))
  {
  }

  void add_forces(const Chunk &chunk, const Tensor &edge_index, const Tensor &edge_vec,
                  const Tensor &gradients)
  {
    static const auto op =
        operation<void(const Tensor &, const Tensor &, const Tensor &, std::int64_t, std::int64_t,
                       const Tensor &, const Tensor &, const Tensor &)>("nnpal::pull_to_atoms");
    op.call(edge_index, edge_vec, gradients, chunk.first, chunk.shift(), forces, virial, virials);
  }

  void add_energies(const Tensor &of_members, const Wanted &wanted)
  {
    const Tensor e = of_members.to(torch::kFloat64), sum = e.sum(1), mean = e.mean(0);
    member_energies = member_energies.defined() ? member_energies + sum : sum;
    if (wanted.energies) energies.push_back(mean);
    if (wanted.uq_energy) uq_energy.push_back((e - mean).square().mean(0).sqrt());
    is_wrong.push_back(torch::isfinite(e).all(0).logical_not());
  }
};

// Add the centers of a chunk with all their edges.
void add_chunk(TorchModel::Impl &impl, const Tensor &positions, const Cells &cells, const Tensor &ends,
               const Chunk &chunk, double cutoff, const Wanted &wanted, Sums &sums)
{
  const std::int64_t n_centers = chunk.n_centers();
  const auto [edge_index, edge_vec] =
      neighbors(positions, cells, ends, chunk, cutoff, impl.dtype, sums.closest);
  const Tensor own_species = impl.atoms.species_of_part(chunk.first, n_centers);
  const auto evaluated =
      impl.evaluator->evaluate(own_species, n_centers, edge_index, edge_vec, wanted.member_forces);
  if (evaluated.energies.dim() != 2 || evaluated.energies.size(1) != n_centers)
    throw std::runtime_error("it returned energies of a wrong shape");
  const torch::NoGradGuard no_derivatives;
  sums.add_energies(evaluated.energies, wanted);
  sums.add_forces(chunk, edge_index, edge_vec.detach(), evaluated.gradients.to(impl.dtype));
}

// Number of edges that fit into their memory: indices, vector and its square, order by center and by
// distance, gradients.
std::int64_t edges_at_once(const TorchModel::Impl &impl, std::int64_t n_gradients)
{
  const std::int64_t width = static_cast<std::int64_t>(torch::elementSize(impl.dtype));
  return impl.bytes_at_once / (2 * 8 + 3 * 4 + width * (3 * (2 + n_gradients) + 1));
}

struct Evaluation {
  Sums sums;
  std::vector<Chunk> chunks;
  Tensor marks;    // see marks_of
};

Evaluation evaluate_all(TorchModel::Impl &impl, const Positions &atoms, double cutoff,
                        std::int64_t n_gradients, const Wanted &wanted)
{
  const Tensor x = impl.atoms.positions(atoms, impl.device);
  impl.atoms.update_species(atoms, impl.device);
  const Cells all_cells = cells(x, cutoff);
  const Tensor ends = count_neighbors(x, all_cells, atoms.n_local, cutoff);
  const bool is_guess = impl.evaluator->passes_over_spare_edges() && impl.marks.n_centers == atoms.n_local;
  if (!is_guess) impl.marks = known_marks(ends, atoms.n_local);
  Evaluation result{{n_gradients, atoms.n_atoms, wanted.virials, x},
                    divide(impl.marks, edges_at_once(impl, n_gradients), is_guess),
                    marks_of(ends, atoms.n_local)};
  for (const Chunk &chunk : result.chunks)
    add_chunk(impl, x, all_cells, ends, chunk, cutoff, wanted, result.sums);
  return result;
}

// The atoms of the shortest edge, for a message.
void find_closest(TorchModel::Impl &impl, const Positions &atoms, double cutoff, PositionsResult &result)
{
  const Tensor x = impl.atoms.positions(atoms, impl.device);
  const Cells all_cells = cells(x, cutoff);
  const Tensor ends = count_neighbors(x, all_cells, atoms.n_local, cutoff);
  double least = INFINITY;
  for (const Chunk &chunk : divide(known_marks(ends, atoms.n_local), edges_at_once(impl, 1), false)) {
    if (chunk.n_edges == 0) continue;
    const auto [edge_index, edge_vec] =
        neighbors(x, all_cells, ends, chunk, cutoff, torch::kFloat64, std::nullopt);
    const Tensor squared = edge_vec.square().sum(1), which = squared.argmin();
    if (!(squared[which].item<double>() < least)) continue;
    least = squared[which].item<double>();
    const Tensor pair = edge_index.select(1, which.item<std::int64_t>()).cpu();
    result.closest_pair[0] = static_cast<int>(pair[0].item<std::int64_t>() + chunk.first);
    result.closest_pair[1] = static_cast<int>(pair[1].item<std::int64_t>() - chunk.shift());
  }
}

// If the GPU runs out of memory, evaluate in smaller parts from now on.
Evaluation evaluate_within_memory(TorchModel::Impl &impl, const Positions &atoms, double cutoff,
                                  std::int64_t n_gradients, const Wanted &wanted)
{
  if (impl.bytes_at_once == 0) impl.bytes_at_once = impl.device.is_cpu() ? kBytesOnCPU : kBytesOnGPU;
  for (;;) {
    try {
      return evaluate_all(impl, atoms, cutoff, n_gradients, wanted);
    } catch (const std::exception &error) {    // TorchScript changes the type of c10::OutOfMemoryError
      const bool ran_out = std::strstr(error.what(), "CUDA out of memory") != nullptr;
      if (!ran_out || impl.bytes_at_once <= kFewestBytes) throw;
      impl.bytes_at_once /= 4;
    }
  }
}

// Copy all parts to one array on the host, float64; pinned if a GPU writes it.
Tensor download(const std::vector<Tensor> &parts, Tensor &reused)
{
  std::vector<Tensor> flat;
  for (const Tensor &part : parts) flat.push_back(part.to(torch::kFloat64).reshape(-1));
  const Tensor packed = torch::cat(flat);
  if (packed.is_cpu()) return packed;
  const std::int64_t n = packed.numel();
  if (!reused.defined() || reused.numel() < n)
    reused = torch::empty({n + n / 8}, torch::TensorOptions().dtype(torch::kFloat64).pinned_memory(true));
  Tensor host = reused.narrow(0, 0, n);
  host.copy_(packed);
  return host;
}

// All results for the host, in this order: marks, closest, whether the forces are finite, virial, energies of
// the members, which center is wrong if any, then arrays.
std::vector<Tensor> parts_of(const Evaluation &done, std::int64_t n_local)
{
  const Sums &sums = done.sums;
  const auto joined = [](const std::vector<Tensor> &parts) {
    return parts.empty() ? torch::empty({0}) : torch::cat(parts);
  };
  const Tensor is_wrong = joined(sums.is_wrong).to(torch::kInt32);
  // Finite if all forces are, unless the sum overflows
  const Tensor are_finite = torch::isfinite(sums.forces.sum());
  std::vector<Tensor> parts{done.marks, sums.closest, are_finite, sums.virial, sums.member_energies};
  if (n_local > 0) {
    parts.push_back(is_wrong.max());
    parts.push_back(is_wrong.argmax());
  }
  for (const auto &chunks : {sums.energies, sums.uq_energy})
    for (const Tensor &chunk : chunks) parts.push_back(chunk);
  parts.push_back(sums.forces);
  parts.push_back(sums.virials);
  return parts;
}

}    // namespace

void TorchModel::evaluate(const Positions &positions, const Wanted &wanted, PositionsResult &result)
{
  Impl &impl = *impl_;
  result = {};
  try {
    const PythonLockGuard without_lock;
    const ThreadGuard threads(impl.n_threads);
    const TF32Guard products(impl.device.is_cuda(), impl.allows_tf32);
    const c10::DeviceGuard device(impl.device);
    const torch::jit::GraphOptimizerEnabledGuard no_specialization(false);
    const std::int64_t n_atoms = positions.n_atoms, n_local = positions.n_local;
    const double *from = nullptr;
    for (bool fits = false; !fits;) {
      const Evaluation done = evaluate_within_memory(impl, positions, metadata().cutoff,
                                                     1 + (wanted.member_forces ? n_members() : 0), wanted);
      const torch::NoGradGuard no_derivatives;
      impl.downloaded = download(parts_of(done, n_local), impl.pinned);
      from = impl.downloaded.const_data_ptr<double>();
      impl.marks = marks_from(from, done.marks.numel(), n_local);
      from += done.marks.numel();
      fits = fit(done.chunks, impl.marks);
    }

    const std::int64_t n_scalars = 11 + n_members() + (n_local > 0 ? 2 : 0);
    if (n_local > 0 && from[n_scalars - 2] > 0) result.non_finite = static_cast<int>(from[n_scalars - 1]);
    result.closest = std::sqrt(from[0]);
    result.forces_are_finite = from[1] != 0.0;
    std::copy_n(from + 2, 9, result.virial);
    result.member_energies.assign(from + 11, from + 11 + n_members());
    from += n_scalars;
    const auto take = [&](bool is_wanted, std::int64_t n) {
      const double *taken = is_wanted ? from : nullptr;
      if (is_wanted) from += n;
      return taken;
    };
    result.energies = take(wanted.energies, n_local);
    result.uq_energy = take(wanted.uq_energy, n_local);
    result.forces = take(true, 3 * n_atoms);
    result.member_forces = take(wanted.member_forces, 3 * n_atoms * n_members());
    result.virials = take(wanted.virials, 9 * n_atoms);
    if (result.closest < wanted.pair_closer_than) find_closest(impl, positions, metadata().cutoff, result);
  } catch (const std::exception &error) {
    throw std::runtime_error("libtorch failed: " + essence(error));
  }
}

}    // namespace nnpal
