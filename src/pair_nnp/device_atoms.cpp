#include "device_atoms.h"

#include <torch/torch.h>

namespace nnpal {
namespace {

using torch::Tensor;

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

const Tensor &DeviceAtoms::species(const Positions &atoms, const torch::Device &device)
{
  const auto n_atoms = static_cast<std::size_t>(atoms.n_atoms);
  bool is_new = !species_.defined() || elements_.size() != n_atoms;
  elements_.resize(n_atoms);
  for (std::size_t i = 0; i < n_atoms; ++i) {
    const int element = atoms.element_of_type[static_cast<std::size_t>(atoms.type[i])];
    is_new = is_new || elements_[i] != element;
    elements_[i] = element;
  }
  if (is_new)
    species_ = upload(view_of(elements_.data(), {atoms.n_atoms}, torch::kInt32), device, pinned_elements_)
                   .to(torch::kInt64);
  return species_;
}

}    // namespace nnpal
