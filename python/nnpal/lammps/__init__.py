"""Run LAMMPS as a program, find its plugins, and read and write its text files."""
