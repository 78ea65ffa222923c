"""Geometry of configurations: neighbor lists as graphs, LAMMPS boxes, crystal phases; also charge and spin."""
