"""Reports: figures with their data, and one self-contained HTML page.

The functions take numbers and ``ase.Atoms`` and write files; they are independent of loops, models and LAMMPS. Input is
in eV (per atom where stated), Å and eV/Å; figures and CSV files state their units (kcal/mol, meV).
"""

from nnpal.active_learning.report.activation_energy import activation_energy, activation_energy_error, loading_rates
from nnpal.active_learning.report.calibration_history import coverage_history, error_by_tenth, reliability_curves
from nnpal.active_learning.report.classes_history import classes_history
from nnpal.active_learning.report.distillation_history import distillation_history
from nnpal.active_learning.report.enthalpy_order import enthalpy_order
from nnpal.active_learning.report.errors_table import errors_table
from nnpal.active_learning.report.facts import (
    Fact,
    activation,
    classes,
    convergence,
    ending,
    error_bars_text,
    error_fact,
    iterations_done,
    labels_used,
)
from nnpal.active_learning.report.grid_table import grid_table
from nnpal.active_learning.report.iteration_table import IterationSummary, iteration_table
from nnpal.active_learning.report.labels_history import labels_history
from nnpal.active_learning.report.mae_history import mae_history
from nnpal.active_learning.report.page import Failure, Page, Section, write_page
from nnpal.active_learning.report.rates_table import RateSummary, rates_table
from nnpal.active_learning.report.relax_table import Crystal, relax_table
from nnpal.active_learning.report.table import Cell, Table
from nnpal.active_learning.report.uq_trace import UQRun, uq_trace
from nnpal.active_learning.report.work_function import WorkCurve, work_function
from nnpal.figures.figure import Figure, FigureFiles, write_figure
from nnpal.figures.panels import panels
from nnpal.figures.parity import parity
from nnpal.figures.structures import Snapshot, structures
from nnpal.figures.uq_against_error import rank_correlation, uq_against_error

__all__ = [
    "Cell",
    "Crystal",
    "Fact",
    "Failure",
    "Figure",
    "FigureFiles",
    "IterationSummary",
    "Page",
    "RateSummary",
    "Section",
    "Snapshot",
    "Table",
    "UQRun",
    "WorkCurve",
    "activation",
    "activation_energy",
    "activation_energy_error",
    "classes",
    "classes_history",
    "convergence",
    "coverage_history",
    "distillation_history",
    "ending",
    "enthalpy_order",
    "error_bars_text",
    "error_by_tenth",
    "error_fact",
    "errors_table",
    "grid_table",
    "iteration_table",
    "iterations_done",
    "labels_history",
    "labels_used",
    "loading_rates",
    "mae_history",
    "panels",
    "parity",
    "rank_correlation",
    "rates_table",
    "relax_table",
    "reliability_curves",
    "structures",
    "uq_against_error",
    "uq_trace",
    "work_function",
    "write_figure",
    "write_page",
]
