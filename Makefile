PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet -c requirements.txt
JB := $(BIN)/jupyter-book build -W -n --keep-going
export KERAS_BACKEND := torch
export OMP_NUM_THREADS := 1
.PHONY: book test test-long serve lab bench clean

book: .venv/book.stamp
	$(JB) .

test: .venv/test.stamp book
	$(BIN)/python -m pytest -n 2 --dist loadfile

clean:
	rm -rf _build .venv

.venv/python.stamp:
	$(PYTHON) -m venv .venv && touch $@

.venv/book.stamp: .venv/python.stamp requirements.txt pyproject.toml
	$(PIP) -e ".[book]" && touch $@

.venv/test.stamp: .venv/book.stamp requirements.txt pyproject.toml
	$(PIP) -e ".[book,test]" && touch $@
