#include "context.h"

#include <pybind11/stl.h>

namespace nnpal {

void export_context()
{
  py::object package = py::module_::import("nnpal.hooks");
  if (py::hasattr(package, "LammpsContext")) return;

  // nnpal/hooks/context.py documents each name, with shapes and units
  py::class_<Context>(package, "LammpsContext")
      .def_property_readonly("x", &Context::positions)
      .def_property_readonly("v", &Context::velocities)
      .def_property_readonly("f", &Context::forces)
      .def_property_readonly("tag", &Context::tags)
      .def_property_readonly("type", &Context::types)
      .def_property_readonly("mask", &Context::masks)
      .def_property_readonly("masses", &Context::masses)
      .def_property_readonly("group_bit", &Context::group_bit)
      .def_property_readonly("group_mask", &Context::own_group_mask)
      .def_property_readonly("excluded", &Context::excluded)
      .def_property_readonly("n_excluded", &Context::n_excluded)
      .def_property_readonly("n_local", &Context::n_local)
      .def_property_readonly("n_atoms", &Context::n_atoms)
      .def_property_readonly("n_group", &Context::n_group)
      .def_property_readonly("box", &Context::box)
      .def_property_readonly("origin", &Context::origin)
      .def_property_readonly("periodic", &Context::periodic)
      .def_property_readonly("volume", &Context::volume)
      .def_property_readonly("box_changes", &Context::box_changes)
      .def_property_readonly("step", &Context::step)
      .def_property_readonly("time", &Context::time)
      .def_property_readonly("dt", &Context::dt)
      .def_property_readonly("minimizing", &Context::minimizing)
      .def_property_readonly("is_trial", &Context::in_trial)
      .def_property_readonly("fix_styles", &Context::fix_styles)
      .def_property_readonly("units", &Context::units)
      .def_property_readonly("boltz", &Context::boltz)
      .def_property_readonly("nktv2p", &Context::nktv2p)
      .def_property_readonly("ftm2v", &Context::ftm2v)
      .def_property_readonly("mvv2e", &Context::mvv2e)
      .def_property_readonly("qqr2e", &Context::qqr2e)
      .def_property_readonly("potential_energy", &Context::potential_energy)
      .def_property_readonly("virial", &Context::virial)
      .def_property_readonly("comm", &Context::world_communicator)
      .def_property_readonly("universe_comm", &Context::universe_communicator)
      .def_property_readonly("partition", &Context::partition)
      .def_property_readonly("n_partitions", &Context::n_partitions)
      .def_property_readonly("fix_id", &Context::fix_id)
      .def_property_readonly("group", &Context::group)
      .def_property_readonly("energy_yes", &Context::energy_yes)
      .def_property_readonly("virial_yes", &Context::virial_yes)
      .def_property_readonly("virial_used", &Context::virial_used)
      .def("group_mask_of", &Context::group_mask)
      .def("scale_forces", &Context::scale_forces)
      .def("positions_of", &Context::positions_of)
      .def("separation", &Context::separation)
      .def("add_force", [](Context &context, LAMMPS_NS::tagint tag,
                           const std::array<double, 3> &f) { context.add_force(tag, f[0], f[1], f[2]); })
      .def("center_of_mass", &Context::center_of_mass)
      .def("group_mass", &Context::group_mass)
      .def("group_count", &Context::group_count)
      .def("minimum_image",
           [](const Context &context, const std::array<double, 3> &d) {
             return context.minimum_image(d[0], d[1], d[2]);
           })
      .def("log", &Context::log)
      .def("write_restart", &Context::write_restart);
}

}    // namespace nnpal
