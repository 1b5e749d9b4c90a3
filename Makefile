# What is made here needs Python 3.11 or newer and the network once; `make PYTHON=python3.12 book`
# chooses which. Every version stands in requirements.txt.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.txt -e
LAB_SETTINGS := .venv/etc/jupyter/labconfig/default_setting_overrides.json
PORT ?= 8000
export KERAS_BACKEND := torch
export OMP_NUM_THREADS := 1
.PHONY: book test test-long serve lab bench clean
.DELETE_ON_ERROR:

book: .venv/book.stamp
	@echo "make: building the book"
	$(BIN)/jupyter-book build -W -n --keep-going .
	@echo "make: the book is at file://$(CURDIR)/_build/html/index.html"

test: .venv/test.stamp book
	@echo "make: style, then the tests"
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

test-long: .venv/test.stamp
	@echo "make: 10,000 random geometries for each form"
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -n 2 tests/test_forms.py -k form_equals $(ARGS)

serve: book
	@echo "make: http://127.0.0.1:$(PORT) shows the book, built anew when a file is saved; Ctrl-C ends it"
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT) & trap "kill $$! 2>/dev/null" EXIT INT TERM; \
	$(BIN)/watchfiles "$(MAKE) book" book code _config.yml _toc.yml

lab: .venv/lab.stamp
	@$(BIN)/jupytext-config --settings-file $(LAB_SETTINGS) set-default-viewer markdown
	@echo "make: JupyterLab opens the chapters, in book/, as notebooks; Ctrl-C ends it"
	$(BIN)/jupyter lab $(ARGS)

bench: .venv/test.stamp
	@echo "make: measuring builds and tests, a few minutes"
	$(BIN)/python tests/bench.py

clean:
	rm -rf _build .venv .hypothesis .pytest_cache .ruff_cache
	@echo "make: removed the built book and the environment"

.venv/python.stamp:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"make: Python 3.11 or newer is needed, and $(PYTHON) is {v[0]}.{v[1]}: try `make PYTHON=python3.12 book`")'
	@echo "make: making .venv with $$($(PYTHON) --version)"
	$(PYTHON) -m venv .venv && touch $@

.venv/book.stamp: .venv/python.stamp requirements.txt pyproject.toml
	@echo "make: installing the package and what builds the book, once; some minutes on a new machine"
	$(INSTALL) ".[book]" && touch $@

.venv/lab.stamp: .venv/book.stamp
	@echo "make: installing JupyterLab, once"
	$(INSTALL) ".[book,lab]" && touch $@

.venv/test.stamp: .venv/book.stamp
	@echo "make: installing what the tests need, once"
	$(INSTALL) ".[book,test]" && touch $@
