# Every target sets up what it needs: Python 3.11 or newer with venv, and a network the first time.
#   make demo     strokes on a real image, round by round, through the real server
#   make test     all tests that can run on this machine
#   make soak     writers killed and servers cut off, hundreds of times: folders, QuPath, OMERO; minutes
#   make check    ruff, mypy, stubs up to date, import directions
#   make bench    latency, bytes on the wire, fields and polygons: JSON and tables
#   make proto    generate the stubs of the contract anew
# make demo IMAGE=slide.svs STROKES=strokes.geojson MPP=0.5 runs the demo on your own.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OMERO := $(VENV)/.omero
PROTO := deepscribble/v1/deepscribble.proto
STUBS = --python_out=$(1) --mypy_out=$(1) --grpc_python_out=$(1) --mypy_grpc_out=$(1)

.PHONY: demo test soak check bench proto clean
.DEFAULT_GOAL := test

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

# Once for each Python; without it the OMERO tests are skipped, and say so.
$(OMERO): $(READY) deploy/zeroc_ice.py
	@{ $(BIN)/python deploy/zeroc_ice.py && $(BIN)/pip install --quiet \
		--disable-pip-version-check -c constraints.txt -e '.[omero-test]'; } || \
		echo "no OMERO client: its tests are skipped; to try again: rm $@; make test"
	@touch $@

demo: $(READY)
	$(BIN)/python demo/rounds.py $(if $(IMAGE),--image '$(IMAGE)') \
		$(if $(STROKES),--strokes '$(STROKES)') $(if $(MPP),--mpp $(MPP))

test: $(OMERO)
	$(BIN)/python -m pytest

soak: $(OMERO)
	DEEPSCRIBBLE_KILLS=100 $(BIN)/python -m pytest \
		tests/stores/test_folder_killed.py tests/stores/qupath/test_kill.py
	DEEPSCRIBBLE_OMERO_FAULTS=500 $(BIN)/python -m pytest tests/jobs/test_sync_faults.py

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@fresh=$$(mktemp -d) && trap 'rm -rf '$$fresh EXIT && \
		PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -Iproto \
			$(call STUBS,$$fresh) $(PROTO) 2>/dev/null && \
		for stub in $$fresh/deepscribble/v1/*; do \
			cmp "$$stub" "proto/deepscribble/v1/$$(basename $$stub)" || \
				{ echo "the stubs are not up to date: run make proto"; exit 1; }; \
		done && echo "stubs: up to date"
	$(BIN)/python -m pytest -q tests/test_house.py

bench: $(OMERO)
	$(BIN)/python bench/latency.py
	$(BIN)/python bench/strokes.py
	$(BIN)/python bench/qupath.py
	$(BIN)/python bench/live.py
	$(BIN)/python bench/annotate.py
	$(BIN)/python bench/omero_store.py

proto: $(READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -Iproto \
		$(call STUBS,proto) $(PROTO)

clean:
	rm -rf $(VENV) demo/out bench/out .mypy_cache .ruff_cache .pytest_cache .hypothesis
