#!/usr/bin/env bash
# ASE's minimum-image distances in a slab or wire are too long if the nonperiodic cell vector is oblique.
#
# Packages: ase 3.29.0, numpy 2.4.6, Python 3.11.
# Guess: along directions with pbc False the cell vector has no meaning, so get_all_distances(mic=True) gives the nearest image of
#   a slab bulk("Al") * (1, 1, 6), pbc TTF, as it does of bulk, whose general case ASE reduces by Minkowski.
# Behavior: two of its fifteen distances are too long, one by 1.6 Å. ASE's own neighbor_list finds the nearer image; so does mic=True once the
#   third vector is zero, which describes the same slab. (Wrapping uses fractional coordinates of all three vectors, also the meaningless one.)
# Output seen:
#   atoms 2 and 5: mic 8.5913, neighbor_list 7.0148, all images 7.0148; mic with a zero third vector 7.0148
#   pairs that are too long: 2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ase==3.29.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
from ase.build import bulk
from ase.neighborlist import neighbor_list

slab = bulk("Al", a=4.05) * (1, 1, 6)
slab.pbc = (True, True, False)
mic = slab.get_all_distances(mic=True)
apart = slab.positions[None] - slab.positions[:, None]
shifts = [np.array([i, j, 0]) @ slab.cell.array for i in range(-12, 13) for j in range(-12, 13)]
nearest = np.min([np.linalg.norm(apart + shift, axis=-1) for shift in shifts], axis=0)

first, second, distances = neighbor_list("ijd", slab, 9.0)
listed = distances[(first == 2) & (second == 5)].min()
same = slab.copy()
same.set_cell(slab.cell.array * [[1], [1], [0]], scale_atoms=False)
again = same.get_all_distances(mic=True)
n_wrong = int((mic > nearest + 1e-6).sum()) // 2
print(f"atoms 2 and 5: mic {mic[2, 5]:.4f}, neighbor_list {listed:.4f}, all images {nearest[2, 5]:.4f}; "
      f"mic with a zero third vector {again[2, 5]:.4f}")
print(f"pairs that are too long: {n_wrong}")
assert np.allclose(again, nearest, atol=1e-9) and abs(listed - nearest[2, 5]) < 1e-9
assert mic[2, 5] > nearest[2, 5] + 1.5 and n_wrong > 0
PYTHON
echo "as described"
