#include "device_atoms.h"

#include <algorithm>
#include <torch/torch.h>

namespace nnpal {
namespace {

using torch::Tensor;

constexpr std::int64_t kMostKept = 1 << 25;    // atoms of all parts: 256 MiB

Tensor upload(const Tensor &host, const torch::Device &device, Tensor &pinned)
{
  if (device.is_cpu()) return host;
  const std::int64_t n = host.numel();
  if (!pinned.defined() || pinned.numel() < n)
    pinned = torch::empty({n + n / 8}, host.options().pinned_memory(true));
  const Tensor staged = pinned.narrow(0, 0, n).view(host.sizes());
  staged.copy_(host);
  return staged.to(device, /*non_blocking=*/true);
}

Tensor view_of(const void *numbers, at::IntArrayRef shape, torch::Dtype dtype)
{
  return torch::from_blob(const_cast<void *>(numbers), shape, dtype);
}

}    // namespace

Tensor DeviceAtoms::positions(const Positions &atoms, const torch::Device &device)
{
  return upload(view_of(atoms.x, {atoms.n_atoms, 3}, torch::kFloat64), device, pinned_positions_);
}

void DeviceAtoms::update_species(const Positions &atoms, const torch::Device &device)
{
  const auto n_atoms = static_cast<std::size_t>(atoms.n_atoms);
  bool is_new = !species_.defined() || elements_.size() != n_atoms;
  elements_.resize(n_atoms);
  for (std::size_t i = 0; i < n_atoms; ++i) {
    const int element = atoms.element_of_type[static_cast<std::size_t>(atoms.type[i])];
    is_new = is_new || elements_[i] != element;
    elements_[i] = element;
  }
  if (!is_new) return;
  parts_.clear();
  species_ = upload(view_of(elements_.data(), {atoms.n_atoms}, torch::kInt32), device, pinned_elements_)
                 .to(torch::kInt64);
}

Tensor DeviceAtoms::species_of_part(std::int64_t first, std::int64_t n)
{
  if (first == 0) return species_;
  const auto found = std::find_if(parts_.begin(), parts_.end(), [&](const Part &part) {
    return part.first == first && part.species.size(0) == n + species_.size(0);
  });
  if (found != parts_.end()) return found->species;
  if (static_cast<std::int64_t>(parts_.size() + 1) * species_.size(0) > kMostKept) parts_.clear();
  parts_.push_back({first, torch::cat({species_.narrow(0, first, n), species_})});
  return parts_.back().species;
}

}    // namespace nnpal
