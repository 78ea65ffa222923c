// torch.ops.nnpal.cells, neighbours and pull_to_atoms: schemas, checks and memory; from positions to a
// model's edges and back to forces without a host list. One source for CPU and GPU. No derivatives.
#include "neighbours.h"
#include "device_graph.h"

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

template <class T> const NeighbourKernels<T> &kernels_for(const Tensor &on)
{
#ifdef NNPAL_CUDA
  if (on.is_cuda()) return on_cuda::neighbour_kernels<T>();
#endif
  aev_twin(on);    // refuses other devices
  return on_host::neighbour_kernels<T>();
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
  cells.most_cells = start.size(0) - 1;
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
  const std::int64_t n_atoms = positions.size(0), most_cells = std::max<std::int64_t>(n_atoms, 1);
  const auto numbers = positions.options().dtype(at::kLong);
  const Tensor grid = at::zeros({kGridNumbers}, numbers), counts = at::zeros({most_cells + 1}, numbers);
  const Tensor start = at::empty({most_cells + 1}, numbers), cell = at::empty({n_atoms}, numbers);
  const Tensor order = at::empty({n_atoms}, numbers.dtype(at::kInt)), sorted = at::empty_like(positions);
  Tensor box = at::zeros({2, 3}, positions.options());
  if (n_atoms > 0) {
    const auto [low, high] = at::aminmax(positions, 0);
    box = at::stack({low, high});
  }
  CellPointers cells = pointers_to(positions, cutoff, grid, start, order, sorted);
  cells.box = box.const_data_ptr<double>();
  cells.cell = cell.mutable_data_ptr<std::int64_t>();
  cells.counts = counts.mutable_data_ptr<std::int64_t>();
  const auto &kernels = kernels_for<double>(positions);
  kernels.count_cells(cells, stream_for(positions));
  counts.cumsum_(0);
  kernels.sort_cells(cells, stream_for(positions));
  return {grid, start, order, sorted};
}

// Waits for the device once, to learn how many edges there are.
std::tuple<Tensor, Tensor> neighbours(const Tensor &positions_of_any_layout, const Tensor &grid,
                                      const Tensor &start, const Tensor &order, const Tensor &sorted,
                                      std::int64_t first, std::int64_t last, double cutoff,
                                      at::ScalarType dtype)
{
  check_positions(positions_of_any_layout, cutoff);
  const Tensor positions = positions_of_any_layout.contiguous();
  TORCH_CHECK_VALUE(first >= 0 && first <= last && last <= positions.size(0), "centres are ", first, " to ",
                    last, ", expected a part of 0 to ", positions.size(0), ", the number of atoms");
  TORCH_CHECK_VALUE(dtype == at::kFloat || dtype == at::kDouble, "dtype is ", dtype,
                    ", expected float32 or float64");
  TORCH_CHECK_VALUE(grid.numel() == kGridNumbers && order.size(0) == positions.size(0) &&
                        sorted.sizes() == positions.sizes() && grid.device() == positions.device(),
                    "cells are not those of nnpal::cells for these positions");
  const c10::DeviceGuard on(positions.device());
  const auto options = positions.options();
  const std::int64_t n_centres = last - first;
  const Tensor ends = at::empty({n_centres + 2}, options.dtype(at::kLong));
  const CellPointers cells = pointers_to(positions, cutoff, grid, start, order, sorted);
  Tensor edge_index, edge_vec;
  AT_DISPATCH_FLOATING_TYPES(dtype, "nnpal::neighbours", [&] {
    const auto &kernels = kernels_for<scalar_t>(positions);
    EdgePointers<scalar_t> edges{};
    edges.first = first;
    edges.n_centres = n_centres;
    edges.ends = ends.mutable_data_ptr<std::int64_t>();
    kernels.count_edges(cells, edges, stream_for(positions));
    ends.narrow(0, 0, n_centres + 1).cumsum_(0);
    const Tensor found = ends.narrow(0, n_centres, 2).cpu();
    TORCH_CHECK_VALUE(found.const_data_ptr<std::int64_t>()[1] == 0,
                      "positions hold NaN or infinite values, or lie too far apart");
    edges.n_edges = found.const_data_ptr<std::int64_t>()[0];
    edge_index = at::empty({2, edges.n_edges}, options.dtype(at::kLong));
    edge_vec = at::empty({edges.n_edges, 3}, options.dtype(dtype));
    edges.centre = edge_index.mutable_data_ptr<std::int64_t>();
    edges.neighbour = edges.centre + edges.n_edges;
    edges.vec = edge_vec.mutable_data_ptr<scalar_t>();
    kernels.fill_edges(cells, edges, stream_for(positions));
  });
  return {edge_index, edge_vec};
}

// Forces [n_gradients, n_atoms, 3] float64 of gradients [n_gradients, n_edges, 3], and of the first one the
// virial [3, 3] and where `per_atom` virials [n_atoms, 3, 3], each edge's with its neighbour.
std::tuple<Tensor, Tensor, Tensor> pull_to_atoms(const Tensor &edge_index, const Tensor &edge_vec,
                                                 const Tensor &gradients, std::int64_t n_atoms, bool per_atom)
{
  const Tensor some_species = at::empty({n_atoms}, edge_index.options());
  check_graph(some_species, n_atoms, edge_index, edge_vec);
  TORCH_CHECK_VALUE(
      gradients.dim() == 3 && gradients.size(0) >= 1 && gradients.sizes().slice(1) == edge_vec.sizes() &&
          gradients.scalar_type() == edge_vec.scalar_type() && gradients.device() == edge_vec.device(),
      "gradients are ", gradients.scalar_type(), " ", gradients.sizes(), ", expected ",
      edge_vec.scalar_type(), " [n_gradients, ", edge_vec.size(0), ", 3] beside edge_vec");
  const c10::DeviceGuard on(edge_vec.device());
  const Tensor index = edge_index.contiguous(), vec = edge_vec.contiguous(), all = gradients.contiguous();
  const auto numbers = edge_vec.options().dtype(at::kDouble);
  const Tensor forces = at::zeros({gradients.size(0), n_atoms, 3}, numbers);
  const Tensor virial = at::zeros({3, 3}, numbers),
               virials = at::zeros({per_atom ? n_atoms : 0, 3, 3}, numbers);
  AT_DISPATCH_FLOATING_TYPES(edge_vec.scalar_type(), "nnpal::pull_to_atoms", [&] {
    const auto *centre = index.const_data_ptr<std::int64_t>();
    const PullPointers<scalar_t> pull{vec.size(0),
                                      n_atoms,
                                      all.size(0),
                                      centre,
                                      centre + vec.size(0),
                                      vec.const_data_ptr<scalar_t>(),
                                      all.const_data_ptr<scalar_t>(),
                                      forces.mutable_data_ptr<double>(),
                                      per_atom ? virials.mutable_data_ptr<double>() : nullptr,
                                      virial.mutable_data_ptr<double>()};
    kernels_for<scalar_t>(vec).pull_to_atoms(pull, stream_for(vec));
  });
  return {forces, virial, virials};
}

}    // namespace
}    // namespace nnpal

TORCH_LIBRARY_FRAGMENT(nnpal, m)
{
  m.def("cells(Tensor positions, float cutoff) -> (Tensor, Tensor, Tensor, Tensor)", &nnpal::make_cells);
  m.def("neighbours(Tensor positions, Tensor grid, Tensor start, Tensor order, Tensor sorted, int first, int "
        "last, "
        "float cutoff, ScalarType dtype) -> (Tensor, Tensor)",
        &nnpal::neighbours);
  m.def("pull_to_atoms(Tensor edge_index, Tensor edge_vec, Tensor gradients, int n_atoms, bool per_atom) -> "
        "(Tensor, Tensor, Tensor)",
        &nnpal::pull_to_atoms);
}
