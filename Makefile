# Each target is one or two commands that a person could type.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: report test lab

report: .venv/installed  ## train the DCGAN notebook on the embedded data set and write reports/dcgan-shapes.pdf
	$(BIN)/ganutils report notebooks/dcgan.ipynb -f notebooks/presets/dcgan-shapes.yaml --name dcgan-shapes

test: .venv/installed  ## unit tests, notebook runs and nbval checks
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto

lab: .venv/installed  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks/

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@
