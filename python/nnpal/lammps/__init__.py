"""LAMMPS as a program: started and watched, its plugins found, and its text files written and read."""
