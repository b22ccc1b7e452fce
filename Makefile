# Two commands do everything: `make run` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test check smoke install clean

run: install
	$(BIN)/python train.py
	@echo "Next: $(BIN)/tensorboard --logdir runs    and    $(BIN)/python replay.py runs/drawing-default-0 --best 25 --html works.html"

smoke: install
	$(BIN)/python train.py --preset smoke

test: install
	$(BIN)/python -m pytest

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf .venv build *.egg-info
