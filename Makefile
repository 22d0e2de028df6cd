# Each target is one or two commands that a person could type.
PYTHON ?= python3
BIN := .venv/bin
SCREENSHOTS ?= .cache/screenshots

.PHONY: report test faults bench test-browser lab

report: .venv/installed  ## train the DCGAN notebook on the embedded data set and write reports/dcgan-shapes.pdf
	$(BIN)/ganutils report notebooks/dcgan.ipynb -f notebooks/presets/dcgan-shapes.yaml --name dcgan-shapes

test: .venv/installed  ## unit tests, notebook runs and nbval checks
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto

faults: .venv/installed  ## kill, cut off and fill up 1,000 trainings: nothing may be lost (20 minutes, Linux)
	OMP_NUM_THREADS=1 $(BIN)/python tests/faults.py --kills 1000

bench: .venv/installed  ## time training, metrics and reports; write reports/speed-here.md
	rm -f reports/speed.failed
# The status of this line is tee's.
	{ $(BIN)/ganutils bench || touch reports/speed.failed; } | tee reports/speed.part
	test ! -e reports/speed.failed && mv reports/speed.part reports/speed-here.md

test-browser: .venv/installed  ## JupyterLab in Chromium (sudo apt install chromium); pictures in .cache/screenshots
	$(BIN)/pip install --quiet --editable '.[browser]'
	$(BIN)/pytest -m browser tests/browser --screenshots $(SCREENSHOTS)

lab: .venv/installed  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks/

.venv/installed: pyproject.toml
	@echo "Installing into .venv, PyTorch among others: some minutes without a word"
	$(PYTHON) -m venv .venv
# Few of the 13,000 modules are ever imported; Python compiles those when they are.
	$(BIN)/pip install --quiet --no-compile --editable '.[dev]'
	touch $@
