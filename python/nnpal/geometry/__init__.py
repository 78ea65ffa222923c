"""What can be said of one configuration by itself: neighbor lists as graphs, LAMMPS's boxes, crystals, charge and
spin."""
