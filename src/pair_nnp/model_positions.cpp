// A model evaluated from positions: one copy to the device, one back. Neighbours are found and forces summed
// up there by torch.ops.nnpal; the host waits to learn the number of edges and for the result.
#include "model_impl.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/DeviceGuard.h>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/torch.h>

namespace nnpal {
namespace {

using torch::Tensor;

// Centres whose edges are in memory together: some 126 for each, of 60 bytes with gradients.
std::int64_t centres_at_once(const torch::Device &device)
{
  return device.is_cpu() ? 4096 : 1 << 18;
}

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

std::tuple<Tensor, Tensor> neighbours(const Tensor &positions, const Cells &cells, std::int64_t first,
                                      std::int64_t last, double cutoff, torch::Dtype dtype)
{
  static const auto op = operation<std::tuple<Tensor, Tensor>(
      const Tensor &, const Tensor &, const Tensor &, const Tensor &, const Tensor &, std::int64_t,
      std::int64_t, double, at::ScalarType)>("nnpal::neighbours");
  const auto &[grid, start, order, sorted] = cells;
  return op.call(positions, grid, start, order, sorted, first, last, cutoff, dtype);
}

std::tuple<Tensor, Tensor, Tensor> pull_to_atoms(const Tensor &edge_index, const Tensor &edge_vec,
                                                 const Tensor &gradients, std::int64_t n_atoms, bool per_atom)
{
  static const auto op = operation<std::tuple<Tensor, Tensor, Tensor>(
      const Tensor &, const Tensor &, const Tensor &, std::int64_t, bool)>("nnpal::pull_to_atoms");
  return op.call(edge_index, edge_vec, gradients, n_atoms, per_atom);
}

// Of all chunks together, float64 on the device.
struct Sums {
  Tensor forces, virial, virials, closest, member_energies;    // closest [3]: squared length, atoms
  std::vector<Tensor> energies, uq_energy, is_wrong;           // of each chunk

  void add_forces(const std::tuple<Tensor, Tensor, Tensor> &more)
  {
    const auto &[its_forces, its_virial, its_virials] = more;
    forces = forces.defined() ? forces.add_(its_forces) : its_forces;
    virial = virial.defined() ? virial.add_(its_virial) : its_virial;
    virials = virials.defined() ? virials.add_(its_virials) : its_virials;
  }

  void add_energies(const Tensor &of_members, const Wanted &wanted)
  {
    const Tensor e = of_members.to(torch::kFloat64), sum = e.sum(1), mean = e.mean(0);
    member_energies = member_energies.defined() ? member_energies + sum : sum;
    if (wanted.energies) energies.push_back(mean);
    if (wanted.uq_energy) uq_energy.push_back((e - mean).square().mean(0).sqrt());
    is_wrong.push_back(torch::isfinite(e).all(0).logical_not());
  }

  void add_closest(const Tensor &edge_index, const Tensor &edge_vec)
  {
    const Tensor squared = edge_vec.square().sum(1);
    const Tensor which = squared.argmin(0, true);
    const Tensor own = torch::cat({squared.index_select(0, which).to(torch::kFloat64),
                                   edge_index.index_select(1, which).squeeze(1).to(torch::kFloat64)});
    closest = closest.defined() ? torch::where(own[0] < closest[0], own, closest) : own;
  }
};

// Add the centres first ... last with all their edges.
void add_chunk(Model::Impl &impl, const Tensor &positions, const Cells &cells, const Tensor &species,
               std::int64_t first, std::int64_t last, double cutoff, const Wanted &wanted, Sums &sums)
{
  const std::int64_t n_centres = last - first;
  const auto [edge_index, edge_vec] = neighbours(positions, cells, first, last, cutoff, impl.dtype);
  // Centres come first among a model's atoms, so for a part of them those are put before all
  Tensor own_species = species, own_index = edge_index;
  if (first > 0) {
    own_species = torch::cat({species.narrow(0, first, n_centres), species});
    own_index = edge_index.clone();
    own_index[1].add_(n_centres);
  }
  const auto evaluated = impl.evaluate(own_species, n_centres, own_index, edge_vec, wanted.member_forces);
  if (evaluated.energies.dim() != 2 || evaluated.energies.size(1) != n_centres)
    throw std::runtime_error("it returned energies of a wrong shape");
  const torch::NoGradGuard no_derivatives;
  sums.add_energies(evaluated.energies, wanted);
  if (first > 0) edge_index[0].add_(first);    // from now on atoms
  sums.add_forces(
      pull_to_atoms(edge_index, edge_vec.detach(), evaluated.gradients, positions.size(0), wanted.virials));
  if (edge_vec.size(0) > 0) sums.add_closest(edge_index, edge_vec.detach());
}

// One array on the host of all parts, float64; pinned where a GPU writes it.
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

}    // namespace

void Model::evaluate(const Positions &positions, const Wanted &wanted, PositionsResult &result)
{
  Impl &impl = *impl_;
  result = {};
  try {
    const ThreadGuard threads(impl.n_threads);
    const TF32Guard products(impl.allows_tf32);
    const c10::DeviceGuard device(impl.device);
    const torch::jit::GraphOptimizerEnabledGuard no_specialisation(false);
    const auto upload = [&](const auto *from, at::IntArrayRef shape, torch::Dtype dtype) {
      return torch::from_blob(const_cast<void *>(static_cast<const void *>(from)), shape, dtype)
          .to(impl.device);
    };
    const std::int64_t n_atoms = positions.n_atoms, n_local = positions.n_local;
    const Tensor x = upload(positions.x, {n_atoms, 3}, torch::kFloat64);
    const Tensor elements =
        upload(positions.element_of_type.data(),
               {static_cast<std::int64_t>(positions.element_of_type.size())}, torch::kInt32);
    const Tensor species =
        elements.index_select(0, upload(positions.type, {n_atoms}, torch::kInt32)).to(torch::kInt64);
    const double cutoff = metadata_.cutoff;
    const Cells all_cells = cells(x, cutoff);
    Sums sums;
    const std::int64_t at_once = centres_at_once(impl.device);
    for (std::int64_t first = 0; first < n_local || first == 0; first += at_once)
      add_chunk(impl, x, all_cells, species, first, std::min(first + at_once, n_local), cutoff, wanted, sums);

    const torch::NoGradGuard no_derivatives;
    const auto joined = [](const std::vector<Tensor> &parts) {
      return parts.empty() ? torch::empty({0}) : torch::cat(parts);
    };
    const Tensor is_wrong = joined(sums.is_wrong).to(torch::kInt32);
    if (!sums.closest.defined()) sums.closest = sums.virial.new_full({3}, INFINITY);
    std::vector<Tensor> parts{sums.closest, sums.virial, sums.member_energies};
    if (n_local > 0) {
      parts.push_back(is_wrong.max());
      parts.push_back(is_wrong.argmax());
    }
    const std::int64_t n_scalars = 12 + n_members_ + (n_local > 0 ? 2 : 0);
    for (const auto &chunks : {sums.energies, sums.uq_energy})
      for (const Tensor &chunk : chunks) parts.push_back(chunk);
    parts.push_back(sums.forces);
    parts.push_back(sums.virials);
    impl.downloaded = download(parts, impl.pinned);

    const double *from = impl.downloaded.const_data_ptr<double>();
    if (n_local > 0 && from[n_scalars - 2] > 0) result.non_finite = static_cast<int>(from[n_scalars - 1]);
    result.closest = std::sqrt(from[0]);
    if (std::isfinite(from[0]))
      for (int k = 0; k < 2; ++k) result.closest_pair[k] = static_cast<int>(from[1 + k]);
    std::copy_n(from + 3, 9, result.virial);
    result.member_energies.assign(from + 12, from + 12 + n_members_);
    from += n_scalars;
    const auto take = [&](bool is_wanted, std::int64_t n) {
      const double *taken = is_wanted ? from : nullptr;
      if (is_wanted) from += n;
      return taken;
    };
    result.energies = take(wanted.energies, n_local);
    result.uq_energy = take(wanted.uq_energy, n_local);
    result.forces = take(true, 3 * n_atoms);
    result.member_forces = take(wanted.member_forces, 3 * n_atoms * n_members_);
    result.virials = take(wanted.virials, 9 * n_atoms);
  } catch (const std::exception &error) {
    throw std::runtime_error("libtorch failed: " + essence(error));
  }
}

}    // namespace nnpal
