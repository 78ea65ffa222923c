"""Datasets: read structures and labels in many formats, store them in one, and check them."""

from nnpal.data.check import Limits, check_frames, require_sound
from nnpal.data.dataset_file import read_dataset, write_dataset
from nnpal.data.error import DatasetError
from nnpal.data.extxyz import write_extxyz
from nnpal.data.finding import Finding
from nnpal.data.hashes import content_hash, structure_hash
from nnpal.data.keys import Keys
from nnpal.data.labels import attach, labels_of, stress_of_virial
from nnpal.data.read import read_frames
from nnpal.data.summary import summarize
from nnpal.data.units import Units

__all__ = [
    "DatasetError",
    "Finding",
    "Keys",
    "Limits",
    "Units",
    "attach",
    "check_frames",
    "content_hash",
    "labels_of",
    "read_dataset",
    "read_frames",
    "require_sound",
    "stress_of_virial",
    "structure_hash",
    "summarize",
    "write_dataset",
    "write_extxyz",
]
