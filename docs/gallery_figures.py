"""Combine figures of reports into small PNG files for the gallery.

The folders contain reports made by::

    for rate in 4 16; do for seed in 1 2 3 4; do
        lmp -in lammps_inputs/in.smd_butane -var rate $rate -var length 2.3 -var hold 800 -var every 5 \
            -var seed $seed -var pull pull.$rate.$seed.txt
    done; done
    nnpal smd report pull.*.txt --temperature 300 --output smd
    lmp -in lammps_inputs/in.momt_al -var steps 160000 -var learn 80000
    nnpal momt report momt.h5 momt.trace --output momt
    nnpal demo --output demo-output
    nnpal evaluate demo-output/run/model.nnp.pt demo-output/run/iter-0000/initial/unseen.h5 --output evaluate

    python docs/gallery_figures.py smd momt evaluate demo-output/run/figures
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

FIGURES = Path(__file__).parent / "figures"
COLORS = 128
"""Number of colors in the palette; fewer colors make smaller files."""
SHOWN = {
    "smd_report": (0, ("work_functions", "free_energy")),
    "momt_report": (1, ("series", "bias")),
    "evaluate_report": (2, ("parity_force", "error_force_error_force")),
    "structures_uncertain": (2, ("structures_uncertain",)),
    "learning_curves": (3, ("learning_curves",)),
}
"""Name of the picture -> index of the folder, and its figures."""


def side_by_side(paths: list[Path], output: Path) -> None:
    """Write pictures side by side, aligned at the bottom."""
    pictures = [Image.open(path).convert("RGB") for path in paths]
    height = max(picture.height for picture in pictures)
    whole = Image.new("RGB", (sum(picture.width for picture in pictures), height), "white")
    left = 0
    for picture in pictures:
        whole.paste(picture, (left, height - picture.height))
        left += picture.width
    whole.quantize(COLORS).save(output, optimize=True)


if __name__ == "__main__":
    folders = [Path(argument) for argument in sys.argv[1:]]
    if len(folders) != 4:
        raise SystemExit("usage: python docs/gallery_figures.py SMD MOMT EVALUATE RUN_FIGURES")
    for name, (place, figures) in SHOWN.items():
        side_by_side([folders[place] / f"{figure}.png" for figure in figures], FIGURES / f"{name}.png")
