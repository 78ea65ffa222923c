// The Python module nnpal._momt: the computations of MOMT at every step.
#include "order_parameter.h"
#include "spline_bias.h"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace py = pybind11;
using nnpal::OrderParameter;
using nnpal::SplineBias;

namespace {

using Doubles = py::array_t<double, py::array::c_style>;
using Ints = py::array_t<int, py::array::c_style>;

// A view of `data` that keeps `owner` alive.
Doubles view(std::vector<py::ssize_t> shape, double *data, py::handle owner)
{
  return Doubles(std::move(shape), data, owner);
}

void require_rows_of_three(const Doubles &array, const char *name)
{
  if (array.ndim() != 2 || array.shape(1) != 3)
    throw py::value_error(std::string(name) + " must have the shape [n_local, 3]");
}

}    // namespace

PYBIND11_MODULE(_momt, m)
{
  m.doc() = "Order parameter and spline bias of MOMT, compiled; used by nnpal.momt.";

  m.def(
      "fill_virial",
      [](Doubles &out, const Doubles &virial, double factor, double isotropic) {
        if (out.size() != 6 || virial.size() != 6) throw py::value_error("virials have 6 components");
        double *to = out.mutable_data();
        for (int i = 0; i < 6; i++) to[i] = factor * virial.data()[i] - (i < 3 ? isotropic : 0.0);
      },
      "out = factor virial - isotropic 1, each [6]: xx yy zz xy xz yz.");

  py::class_<OrderParameter>(m, "OrderParameter", "O = 1/(N_g N) sum_g |sum_i exp(2 pi i n_g . s_i)|^2")
      .def(py::init<const std::vector<OrderParameter::IntVector> &, long long>(), py::arg("vectors"),
           py::arg("n_atoms"))
      .def(
          "add_atoms",
          [](OrderParameter &order, const Doubles &x, const Ints &mask, int groupbit, const Doubles &box) {
            require_rows_of_three(x, "x");
            require_rows_of_three(box, "box");
            if (mask.size() != x.shape(0))
              throw py::value_error("mask must have one value for each row of x");
            order.add_atoms(x.data(), mask.data(), groupbit, static_cast<int>(x.shape(0)), box.data());
          },
          "Compute this rank's share of the sums: x [n_local, 3], mask [n_local], group bit, box [3, 3].")
      .def_property_readonly(
          "sums",
          [](py::object self) {
            auto &order = self.cast<OrderParameter &>();
            return view({static_cast<py::ssize_t>(order.n_sums())}, order.sums(), self);
          },
          "The sums, [2 n_pairs]: to be summed over ranks in place before value().")
      .def("value", &OrderParameter::value, "O of the sums.")
      .def(
          "add_gradient",
          [](const OrderParameter &order, double factor, Doubles &f) {
            require_rows_of_three(f, "f");
            order.add_gradient(factor, f.mutable_data());
          },
          "f += factor dO/dr, f [n_local, 3].");

  py::class_<SplineBias>(m, "SplineBias", "A bias on a grid of one or two variables, cubic B-splines.")
      .def(py::init([](const std::vector<std::tuple<double, double, int>> &grid,
                       const std::vector<std::tuple<bool, bool, double, double, bool>> &walls) {
             std::vector<nnpal::Axis> axes;
             for (std::size_t d = 0; d < grid.size(); d++) {
               const auto &[low, high, n] = grid[d];
               const auto &[wall_low, wall_high, energy, length, is_limited] = walls.at(d);
               if (!(length > 0.0)) throw py::value_error("the length of a wall must be above 0");
               axes.push_back({low, high, n, wall_low, wall_high, energy, length, is_limited});
             }
             return SplineBias(axes);
           }),
           py::arg("grid"), py::arg("walls"),
           "grid: (low, high, n_bins) of each axis; walls: (at low, at high, energy, length, slope is "
           "limited) of each axis.")
      .def_property_readonly(
          "coefficients",
          [](py::object self) {
            auto &bias = self.cast<SplineBias &>();
            std::vector<py::ssize_t> shape;
            for (int d = 0; d < bias.n_axes(); d++) shape.push_back(bias.n_coefficients(d));
            return view(shape, bias.coefficients().data(), self);
          },
          "View of the coefficients, [n_0 + 1, n_1 + 1] or [n_0 + 1].")
      .def(
          "evaluate",
          [](const SplineBias &bias, double s0, double s1) {
            const auto value = bias.evaluate({s0, s1});
            return py::make_tuple(value.energy, value.slope[0], value.slope[1]);
          },
          py::arg("s0"), py::arg("s1") = 0.0, "Return (energy, slope along axis 0, slope along axis 1).")
      .def(
          "deposit",
          [](SplineBias &bias, double amount, double s0, double s1) { bias.deposit({s0, s1}, amount); },
          py::arg("amount"), py::arg("s0"), py::arg("s1") = 0.0)
      .def(
          "bin", [](const SplineBias &bias, double s0, double s1) { return bias.bin({s0, s1}); },
          py::arg("s0"), py::arg("s1") = 0.0, "Flat index of the bin, or -1 outside the grid.");
}
