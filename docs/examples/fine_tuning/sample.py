"""Sample three molecules at 800 K under GFN1-xTB, and deal the configurations to three files."""

import numpy as np
from ase import units
from ase.build import molecule
from ase.io import write
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from tblite.ase import TBLite

N_FRAMES, EVERY = 160, 16  # of each molecule; steps of 0.5 fs between two
rng = np.random.default_rng(1)
frames = []
for name in ("C2H6", "C3H8", "CH3CH2OH"):
    atoms = molecule(name)
    atoms.calc = TBLite(method="GFN1-xTB", verbosity=0)
    MaxwellBoltzmannDistribution(atoms, temperature_K=800, rng=rng)
    dynamics = Langevin(atoms, 0.5 * units.fs, temperature_K=800, friction=0.02 / units.fs, rng=rng)
    dynamics.run(20 * EVERY)
    for _ in range(N_FRAMES):
        dynamics.run(EVERY)
        frames.append(atoms.copy())
        del frames[-1].arrays["momenta"]
order = rng.permutation(len(frames))
for file, chosen in (("many.xyz", order[:360]), ("few.xyz", order[360:390]), ("test.xyz", order[390:])):
    write(file, [frames[k] for k in chosen], format="extxyz")
