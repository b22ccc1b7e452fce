# Two commands do everything: `make run` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test check types smoke install clean

run: install
	$(BIN)/python train.py
	@echo "Next: $(BIN)/tensorboard --logdir runs    and    $(BIN)/python replay.py runs/drawing-default-0 --best 25 --html works.html"

smoke: install
	$(BIN)/python train.py --preset smoke

test: install
	$(BIN)/python -m pytest

check: install types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# mypy knows folders, not how setuptools maps them: links show it the package as it is installed.
types: install
	mkdir -p build/types/move37
	ln -sfn $(CURDIR)/move37/*.py $(CURDIR)/move37/py.typed $(CURDIR)/agents $(CURDIR)/envs $(CURDIR)/novelty build/types/move37/
	$(BIN)/mypy

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf .venv build *.egg-info
