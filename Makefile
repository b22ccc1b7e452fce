# `make run` and `make test` do everything. All they need is Python 3.11 or newer.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PARTS := agents envs novelty

.PHONY: run smoke test check types install clean

run: install
	$(BIN)/move37 train

smoke: install
	$(BIN)/move37 train --preset smoke

# Two processes, and each test file in one of them: files share what they train.
test: install
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m vulture
	$(MAKE) types

# mypy knows folders, not how setuptools maps them: links show it the package as it is installed.
types: install
	rm -rf build/types
	mkdir -p build/types/move37
	for path in move37/* $(PARTS); do ln -s "$(CURDIR)/$$path" build/types/move37/; done
	$(BIN)/python -m mypy

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find $(PARTS) move37 tests benchmarks docs -name __pycache__ -prune -exec rm -rf {} +
