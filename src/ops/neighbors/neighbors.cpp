// torch.ops.nnpal.cells, count_neighbors, neighbors and pull_to_atoms: schemas, checks and memory; from
// positions to a model's edges, and back to forces, without a neighbor list of the host. One source for CPU
// and GPU, without derivatives; never waits for the device.
#include "neighbors/neighbors.h"
#include "support/device_graph.h"

#include <ATen/Dispatch.h>
#include <ATen/ops/aminmax.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <algorithm>
#include <c10/core/DeviceGuard.h>
#include <torch/library.h>

namespace nnpal {
namespace {

using at::Tensor;

constexpr std::int64_t kGridNumbers = sizeof(CellGrid) / sizeof(std::int64_t);

template <class T> const NeighborFunctions<T> &functions_for(const Tensor &on)
{
#ifdef NNPAL_CUDA
  if (on.is_cuda()) return on_cuda::neighbor_functions<T>();
#endif
  aev_twin(on);    // refuses other devices
  return on_host::neighbor_functions<T>();
}

CUstream_st *stream_for(const Tensor &on)
{
#ifdef NNPAL_CUDA
  if (on.is_cuda()) return current_stream(on);
#endif
  return nullptr;
}

void check_positions(const Tensor &positions, double cutoff)
{
  TORCH_CHECK_VALUE(positions.dim() == 2 && positions.size(1) == 3 && positions.scalar_type() == at::kDouble,
                    "positions are ", positions.scalar_type(), " ", positions.sizes(),
                    ", expected float64 [n_atoms, 3]");
  TORCH_CHECK_VALUE(positions.size(0) <= kMostEdges, "positions has ", positions.size(0),
                    " atoms, expected at most ", kMostEdges);
  TORCH_CHECK_VALUE(cutoff > 0 && std::isfinite(cutoff), "cutoff is ", cutoff, ", expected more than 0");
}

CellPointers pointers_to(const Tensor &positions, double cutoff, const Tensor &grid, const Tensor &start,
                         const Tensor &order, const Tensor &sorted)
{
  CellPointers cells{};
  cells.n_atoms = positions.size(0);
  cells.n_groups = start.size(0) - 1;
  cells.cutoff = cutoff;
  cells.positions = positions.const_data_ptr<double>();
  cells.grid = reinterpret_cast<CellGrid *>(grid.mutable_data_ptr<std::int64_t>());
  cells.start = start.mutable_data_ptr<std::int64_t>();
  cells.order = order.mutable_data_ptr<std::int32_t>();
  cells.sorted = sorted.mutable_data_ptr<double>();
  return cells;
}

// (grid, start, order, sorted positions): see CellPointers.
std::tuple<Tensor, Tensor, Tensor, Tensor> make_cells(const Tensor &positions_of_any_layout, double cutoff)
{
  check_positions(positions_of_any_layout, cutoff);
  const c10::DeviceGuard on(positions_of_any_layout.device());
  const Tensor positions = positions_of_any_layout.contiguous();
  const std::int64_t n_atoms = positions.size(0), n_groups = std::max<std::int64_t>(n_atoms, 1);
  const auto numbers = positions.options().dtype(at::kLong);
  const Tensor grid = at::zeros({kGridNumbers}, numbers), counts = at::zeros({n_groups + 1}, numbers);
  const Tensor start = at::empty({n_groups + 1}, numbers), group = at::empty({n_atoms}, numbers);
  const Tensor order = at::empty({n_atoms}, numbers.dtype(at::kInt)), sorted = at::empty_like(positions);
  Tensor box = at::zeros({2, 3}, positions.options());
  if (n_atoms > 0) {
    const auto [low, high] = at::aminmax(positions, 0);
    box = at::stack({low, high});
  }
  CellPointers cells = pointers_to(positions, cutoff, grid, start, order, sorted);
  cells.box = box.const_data_ptr<double>();
  cells.group = group.mutable_data_ptr<std::int64_t>();
  cells.counts = counts.mutable_data_ptr<std::int64_t>();
  const auto &functions = functions_for<double>(positions);
  functions.count_cells(cells, stream_for(positions));
  counts.cumsum_(0);
  functions.sort_cells(cells, stream_for(positions));
  return {grid, start, order, sorted};
}

void check_cells(const Tensor &positions, const Tensor &grid, const Tensor &order, const Tensor &sorted)
{
  TORCH_CHECK_VALUE(grid.numel() == kGridNumbers && order.size(0) == positions.size(0) &&
                        sorted.sizes() == positions.sizes() && grid.device() == positions.device(),
                    "cells are not those of nnpal::cells for these positions");
}

// ends [n_centers + 2] of the first n_centers atoms: see EndPointers.
Tensor count_neighbors(const Tensor &positions_of_any_layout, const Tensor &grid, const Tensor &start,
                       const Tensor &order, const Tensor &sorted, std::int64_t n_centers, double cutoff)
{
  check_positions(positions_of_any_layout, cutoff);
  const Tensor positions = positions_of_any_layout.contiguous();
  check_cells(positions, grid, order, sorted);
  TORCH_CHECK_VALUE(n_centers >= 0 && n_centers <= positions.size(0), "n_centers is ", n_centers,
                    ", expected 0 to ", positions.size(0), ", the number of atoms");
  const c10::DeviceGuard on(positions.device());
  const Tensor ends = at::empty({n_centers + 2}, positions.options().dtype(at::kLong));
  functions_for<double>(positions).count_edges(pointers_to(positions, cutoff, grid, start, order, sorted),
                                               {n_centers, ends.mutable_data_ptr<std::int64_t>()},
                                               stream_for(positions));
  ends.narrow(0, 0, n_centers + 1).cumsum_(0);
  return ends;
}

// Edges [2, n_edges] and their vectors, for centers first ... last. The caller knows or guesses that their
// number ends[last] - ends[first] is at most `n_edges`, so that nothing waits for the device; the rest is
// padding, with center last - first and neighbor -1, which nnpal's operations skip. `shift` is added to the
// neighbors' indices; `closest` [1], Å² or infinity, is lowered to the square of the shortest edge.
std::tuple<Tensor, Tensor> neighbors(const Tensor &positions_of_any_layout, const Tensor &grid,
                                     const Tensor &start, const Tensor &order, const Tensor &sorted,
                                     const Tensor &ends, std::int64_t first, std::int64_t last,
                                     std::int64_t n_edges, std::int64_t shift, double cutoff,
                                     at::ScalarType dtype, const std::optional<Tensor> &closest)
{
  check_positions(positions_of_any_layout, cutoff);
  const Tensor positions = positions_of_any_layout.contiguous();
  check_cells(positions, grid, order, sorted);
  TORCH_CHECK_VALUE(ends.scalar_type() == at::kLong && ends.is_contiguous() && ends.dim() == 1 &&
                        ends.size(0) >= 2 && ends.device() == positions.device(),
                    "ends are not those of nnpal::count_neighbors for these positions");
  TORCH_CHECK_VALUE(first >= 0 && first <= last && last <= ends.size(0) - 2, "centers are ", first, " to ",
                    last, ", expected a part of 0 to ", ends.size(0) - 2, ", those counted");
  TORCH_CHECK_VALUE(n_edges >= 0 && shift >= 0, "n_edges and shift are ", n_edges, " and ", shift,
                    ", expected 0 or more");
  TORCH_CHECK_VALUE(dtype == at::kFloat || dtype == at::kDouble, "dtype is ", dtype,
                    ", expected float32 or float64");
  TORCH_CHECK_VALUE(!closest || (closest->numel() == 1 && closest->scalar_type() == at::kDouble &&
                                 closest->device() == positions.device()),
                    "closest is not one float64 beside positions");
  const c10::DeviceGuard on(positions.device());
  const Tensor edge_index = at::empty({2, n_edges}, ends.options());
  const Tensor edge_vec = at::empty({n_edges, 3}, positions.options().dtype(dtype));
  auto *center = edge_index.mutable_data_ptr<std::int64_t>();
  AT_DISPATCH_FLOATING_TYPES(dtype, "nnpal::neighbors", [&] {
    functions_for<scalar_t>(positions).fill_edges(
        pointers_to(positions, cutoff, grid, start, order, sorted),
        {first, last - first, n_edges, shift, ends.const_data_ptr<std::int64_t>(), center, center + n_edges,
         edge_vec.mutable_data_ptr<scalar_t>(), closest ? closest->mutable_data_ptr<double>() : nullptr},
        stream_for(positions));
  });
  return {edge_index, edge_vec};
}

// Add to forces [n_gradients, n_atoms, 3] those from gradients [n_gradients, n_edges, 3]. Add the virial of
// the first gradient to virial [3, 3] and, if not empty, to virials [n_atoms, 3, 3], at each edge's neighbor.
// Edges are those of nnpal::neighbors for `first` and `shift`; the sums are float64.
void pull_to_atoms(const Tensor &edge_index, const Tensor &edge_vec, const Tensor &gradients,
                   std::int64_t first, std::int64_t shift, const Tensor &forces, const Tensor &virial,
                   const Tensor &virials)
{
  TORCH_CHECK_VALUE(
      gradients.dim() == 3 && gradients.size(0) >= 1 && gradients.sizes().slice(1) == edge_vec.sizes() &&
          gradients.scalar_type() == edge_vec.scalar_type() && gradients.device() == edge_vec.device(),
      "gradients are ", gradients.scalar_type(), " ", gradients.sizes(), ", expected ",
      edge_vec.scalar_type(), " [n_gradients, ", edge_vec.size(0), ", 3] beside edge_vec");
  const std::int64_t n_atoms = forces.dim() == 3 ? forces.size(1) : 0, n_gradients = gradients.size(0);
  const auto check_sum = [&](const char *name, const Tensor &sum, at::IntArrayRef shape) {
    TORCH_CHECK_VALUE(sum.sizes() == shape && sum.scalar_type() == at::kDouble && sum.is_contiguous() &&
                          sum.device() == edge_vec.device(),
                      name, " is ", sum.scalar_type(), " ", sum.sizes(), ", expected float64 ", shape,
                      " beside edge_vec");
  };
  check_sum("forces", forces, {n_gradients, n_atoms, 3});
  check_sum("virial", virial, {3, 3});
  check_sum("virials", virials, {virials.size(0) > 0 ? n_atoms : 0, 3, 3});
  check_graph(at::empty({1}, edge_index.options()).expand({n_atoms + shift}), n_atoms, edge_index, edge_vec);
  const c10::DeviceGuard on(edge_vec.device());
  const Tensor index = edge_index.contiguous(), vec = edge_vec.contiguous(), all = gradients.contiguous();
  AT_DISPATCH_FLOATING_TYPES(edge_vec.scalar_type(), "nnpal::pull_to_atoms", [&] {
    const auto *center = index.const_data_ptr<std::int64_t>();
    const PullPointers<scalar_t> pull{vec.size(0),
                                      n_atoms,
                                      n_gradients,
                                      first,
                                      shift,
                                      center,
                                      center + vec.size(0),
                                      vec.const_data_ptr<scalar_t>(),
                                      all.const_data_ptr<scalar_t>(),
                                      forces.mutable_data_ptr<double>(),
                                      virials.size(0) > 0 ? virials.mutable_data_ptr<double>() : nullptr,
                                      virial.mutable_data_ptr<double>()};
    functions_for<scalar_t>(vec).pull_to_atoms(pull, stream_for(vec));
  });
}

}    // namespace
}    // namespace nnpal

#define NNPAL_CELLS "Tensor positions, Tensor grid, Tensor start, Tensor order, Tensor sorted, "

TORCH_LIBRARY_FRAGMENT(nnpal, m)
{
  m.def("cells(Tensor positions, float cutoff) -> (Tensor, Tensor, Tensor, Tensor)", &nnpal::make_cells);
  m.def("count_neighbors(" NNPAL_CELLS "int n_centers, float cutoff) -> Tensor", &nnpal::count_neighbors);
  m.def("neighbors(" NNPAL_CELLS "Tensor ends, int first, int last, int n_edges, int shift, float cutoff, "
        "ScalarType dtype, Tensor(a!)? closest=None) -> (Tensor, Tensor)",
        &nnpal::neighbors);
  m.def("pull_to_atoms(Tensor edge_index, Tensor edge_vec, Tensor gradients, int first, int shift, "
        "Tensor(a!) forces, Tensor(b!) virial, Tensor(c!) virials) -> ()",
        &nnpal::pull_to_atoms);
}
