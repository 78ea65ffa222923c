"""Draw docs/figures/workflow.svg: what nnpal does, from structures to a production run.

python docs/workflow_figure.py
"""

from __future__ import annotations

from pathlib import Path

FIGURE = Path(__file__).parent / "figures" / "workflow.svg"
WIDTH, HEIGHT = 900, 330
BOX = (180, 76)
INK, PALE = "#1f2d3d", "#5b6b7c"
# name -> (x, y, color, title, lines)
BOXES = {
    "structures": (20, 40, "#e8eef5", "Structures", ("molecules, crystals,", "your own data")),
    "label": (240, 40, "#dff0e6", "Label", ("DFT, xTB, EAM,", "any ASE calculator")),
    "train": (460, 40, "#fdeccf", "Train an ensemble", ("ANI, SchNet, MACE,", "custom torch modules")),
    "export": (680, 40, "#fdeccf", "Model file", ("checked against LAMMPS,", "with calibrated errors")),
    "sample": (460, 200, "#dbe7f8", "Sample in LAMMPS", ("pair_style nnp, MOMT,", "steered MD, ranks, GPUs")),
    "select": (240, 200, "#f6dfe4", "Select", ("what the members", "are uncertain of")),
    "production": (680, 200, "#dbe7f8", "Production", ("MD with error bars,", "free energies, reports")),
}
# Corners of each arrow
ARROWS = (
    ((200, 78), (240, 78)),
    ((420, 78), (460, 78)),
    ((640, 78), (680, 78)),
    ((720, 116), (720, 158), (550, 158), (550, 200)),
    ((460, 238), (420, 238)),
    ((330, 200), (330, 116)),
    ((810, 116), (810, 200)),
)
CAPTIONS = ((395, 163, "new configurations"), (635, 151, "until the aim is met"))


def figure() -> str:
    """Return the picture as SVG."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'role="img" font-family="Helvetica, Arial, sans-serif">',
        "<title>nnpal: structures are labeled, an ensemble is trained, exported and run in LAMMPS; configurations that "
        "the members are uncertain of are labeled in turn</title>",
        f'<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 L8 4 L0 8 z" fill="{PALE}"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        *(_arrow(corners) for corners in ARROWS),
        *(_box(*box) for box in BOXES.values()),
        *(_caption(*caption) for caption in CAPTIONS),
        f'<text x="{WIDTH / 2:g}" y="312" font-size="14" fill="{PALE}" text-anchor="middle">one command, '
        "nnpal run, carries out the loop and resumes it after any interruption</text>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _box(x: int, y: int, color: str, title: str, lines: tuple[str, ...]) -> str:
    center = x + BOX[0] / 2
    texts = "".join(
        f'<text x="{center:g}" y="{y + 47 + 17 * k}" font-size="13" fill="{PALE}" text-anchor="middle">{line}</text>'
        for k, line in enumerate(lines)
    )
    return (
        f'<rect x="{x}" y="{y}" width="{BOX[0]}" height="{BOX[1]}" rx="8" fill="{color}" stroke="{PALE}"/>'
        f'<text x="{center:g}" y="{y + 26}" font-size="15" font-weight="bold" fill="{INK}" text-anchor="middle">'
        f"{title}</text>{texts}"
    )


def _arrow(corners: tuple[tuple[int, int], ...]) -> str:
    points = " ".join(f"{x},{y}" for x, y in corners)
    return f'<polyline points="{points}" fill="none" stroke="{PALE}" stroke-width="2" marker-end="url(#head)"/>'


def _caption(x: int, y: int, text: str) -> str:
    return f'<text x="{x}" y="{y}" font-size="12" fill="{INK}" text-anchor="middle">{text}</text>'


if __name__ == "__main__":
    FIGURE.write_text(figure())
