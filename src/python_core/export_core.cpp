// The Python module nnpal._core: evaluation of model files on a CPU, without torch.
#include "model/core_model.h"
#include "model_file/archive.h"
#include "neighbors/periodic_edges.h"
#include "support/instruction_sets.h"

#include <array>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace py = pybind11;
using namespace nnpal;

namespace {

using Doubles = py::array_t<double, py::array::c_style | py::array::forcecast>;
using Indices = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;

ModelOptions options_of(const std::string &dtype, int n_members, int n_threads)
{
  ModelOptions options;
  options.precision =
      dtype == "float64" ? ModelOptions::Precision::kDouble : ModelOptions::Precision::kSingle;
  options.n_members = n_members;
  options.n_threads = n_threads;
  return options;
}

// None if libtorch is needed.
std::unique_ptr<Model> load(const py::bytes &content, const std::string &dtype, int n_members, int n_threads)
{
  const std::string_view bytes(content);
  try {
    const Archive archive(bytes);
    const auto json = archive.record(kMetadataRecord);
    if (!json) throw std::runtime_error("it holds no nnpal.json");
    const Metadata metadata = parse_metadata(*json);
    const auto record = read_fused_record(archive, metadata);
    return record ? make_core_model(*record, metadata, options_of(dtype, n_members, n_threads)) : nullptr;
  } catch (const std::runtime_error &error) {
    throw py::value_error(error.what());
  }
}

Doubles array_of(const std::vector<double> &values, std::vector<py::ssize_t> shape)
{
  return Doubles(std::move(shape), values.data());
}

// Throws if the shapes of a graph's arrays do not match.
Tile tile_of(const Indices &species, int n_local, const Indices &edge_index, const Doubles &edge_vec)
{
  const py::ssize_t n_edges = edge_vec.ndim() == 2 ? edge_vec.shape(0) : -1;
  if (species.ndim() != 1 || n_local < 0 || n_local > species.size() || edge_index.ndim() != 2 ||
      edge_index.shape(0) != 2 || edge_index.shape(1) != n_edges || edge_vec.shape(1) != 3)
    throw py::value_error("species, n_local, edge_index and edge_vec have shapes that do not fit; expected "
                          "[n_atoms], 0 to n_atoms, [2, n_edges] and [n_edges, 3]");
  Tile tile;
  tile.n_centers = n_local;
  tile.species.assign(species.data(), species.data() + species.size());
  tile.center.assign(edge_index.data(), edge_index.data() + n_edges);
  tile.neighbor.assign(edge_index.data() + n_edges, edge_index.data() + 2 * n_edges);
  tile.edge_vec.assign(edge_vec.data(), edge_vec.data() + 3 * n_edges);
  return tile;
}

// Energies [n_members, n_local] and gradients [1 or 1 + n_members, n_edges, 3].
std::pair<Doubles, Doubles> evaluate(Model &model, const Indices &species, int n_local,
                                     const Indices &edge_index, const Doubles &edge_vec, bool of_members)
{
  const Tile tile = tile_of(species, n_local, edge_index, edge_vec);
  TileResult result;
  {
    const py::gil_scoped_release others_may_run;
    model.evaluate(tile, of_members, result);
  }
  std::vector<double> &gradients = result.gradient;
  gradients.insert(gradients.end(), result.member_gradient.begin(), result.member_gradient.end());
  const py::ssize_t n_members = model.n_members(), n_gradients = of_members ? 1 + n_members : 1;
  return {array_of(result.energies, {n_members, n_local}),
          array_of(gradients, {n_gradients, edge_vec.shape(0), 3})};
}

// Raw charges and their weights, [n_local] both.
std::pair<Doubles, Doubles> charges(Model &model, const Indices &species, int n_local,
                                    const Indices &edge_index, const Doubles &edge_vec)
{
  const Tile tile = tile_of(species, n_local, edge_index, edge_vec);
  TileCharges result;
  {
    const py::gil_scoped_release others_may_run;
    model.evaluate_charges(tile, result);
  }
  return {array_of(result.raw, {n_local}), array_of(result.weights, {n_local})};
}

// edge_index [2, n_edges] and edge_vec [n_edges, 3]; arguments must have been checked with NumPy.
std::pair<Indices, Doubles> periodic_edges(const Doubles &positions, const Doubles &cell,
                                           const std::array<bool, 3> &pbc, double cutoff)
{
  if (positions.ndim() != 2 || positions.shape(1) != 3 || cell.ndim() != 2 || cell.shape(0) != 3 ||
      cell.shape(1) != 3 || !(cutoff > 0.0))
    throw py::value_error("expected positions [n_atoms, 3], a cell [3, 3] and a cutoff above 0");
  double box[3][3];
  std::copy_n(cell.data(), 9, &box[0][0]);
  const bool is_periodic[3] = {pbc[0], pbc[1], pbc[2]};
  PeriodicEdges found;
  {
    const py::gil_scoped_release others_may_run;
    found = find_periodic_edges(positions.data(), positions.shape(0), box, is_periodic, cutoff);
  }
  const auto n_edges = static_cast<py::ssize_t>(found.center.size());
  Indices index({py::ssize_t(2), n_edges});
  std::copy(found.center.begin(), found.center.end(), index.mutable_data());
  std::copy(found.neighbor.begin(), found.neighbor.end(), index.mutable_data() + n_edges);
  return {index, array_of(found.vec, {n_edges, 3})};
}

}    // namespace

PYBIND11_MODULE(_core, m)
{
  m.doc() = "Models of kernel fused on a CPU, compiled; used by nnpal.model.core_model.";
  m.def("instruction_sets", &instruction_sets, "Those that this processor has, the widest first.");
  m.def("use_instruction_set", &use_instruction_set, py::arg("name"), "Use another one; for tests.");
  py::class_<Model>(m, "Model")
      .def("evaluate", &evaluate, py::arg("species"), py::arg("n_local"), py::arg("edge_index"),
           py::arg("edge_vec"), py::arg("of_members"))
      .def("charges", &charges, py::arg("species"), py::arg("n_local"), py::arg("edge_index"),
           py::arg("edge_vec"))
      .def_property_readonly("n_members", &Model::n_members)
      .def_property_readonly("self_energies", [](const Model &model) {
        return array_of(model.self_energies(), {static_cast<py::ssize_t>(model.self_energies().size())});
      });
  m.def("periodic_edges", &periodic_edges, py::arg("positions"), py::arg("cell"), py::arg("pbc"),
        py::arg("cutoff"));
  m.def("load", &load, py::arg("content"), py::arg("dtype"), py::arg("n_members"), py::arg("n_threads"));
}
