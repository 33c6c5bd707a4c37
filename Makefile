# make run     fluxd from this tree, in a virtual environment of its own (.venv)
# make test    every test, with branch coverage; ARGS=… is handed to pytest
# make check   format, lint, types, layers, the service's exposure
# make bench   the figures of CONTRIBUTING.md; wants a machine that does nothing else
#
# PYTHON=… chooses the Python (3.11 or newer) that .venv is made with.

.PHONY: help run test check bench tools
.ONESHELL:
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

VENV := .venv
PIP := $(VENV)/bin/python -m pip --quiet --disable-pip-version-check
PYTHONS := $(PYTHON) python3 python3.13 python3.12 python3.11 python3.14

# Processes that share the test files: `make test WORKERS=0` runs them in one, for a debugger.
WORKERS := 2

# Branch coverage below which `make test` fails, in per cent.
COVERAGE := 90

# Programs that tests start, and the Debian packages that have them.
TOOLS := sqlite3:sqlite3 chromium:chromium systemd-analyze:systemd

# Shell function: install Debian packages, or say how.
define INSTALL
install_packages() {
    local root=()
    if [ "$$(id -u)" != 0 ]; then root=(sudo -n); fi
    if ! command -v apt-get >/dev/null || ! "$${root[@]}" true 2>/dev/null; then
        echo "Missing on this machine. On Debian:  sudo apt-get install $$*" >&2
        return 1
    fi
    "$${root[@]}" apt-get update -qq
    "$${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-install-recommends "$$@"
}
endef

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

run: $(VENV)/installed
	@exec $(VENV)/bin/fluxd serve

test: $(VENV)/installed-test tools
	@$(VENV)/bin/python -m pytest -n $(WORKERS) --dist loadfile --cov --cov-report=term --cov-fail-under=$(COVERAGE) $(ARGS)

check: $(VENV)/installed-check tools
	@$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	systemd-analyze security --offline=true --threshold=15 --no-pager fluxd.service | tail -n 1

bench: $(VENV)/installed-test
	@for bench in tests/bench/bench_*.py; do $(VENV)/bin/python "$$bench"; done

# A missing tool does not stop the tests that do without; those that need it fail and name it.
tools:
	@$(INSTALL)
	missing=()
	for tool in $(TOOLS); do
	    command -v "$${tool%:*}" >/dev/null || missing+=("$${tool#*:}")
	done
	if [ "$${#missing[@]}" -gt 0 ]; then install_packages "$${missing[@]}" || true; fi

# Stamp files: a second call finds nothing to do.
$(VENV)/created:
	@$(INSTALL)
	for python in $(PYTHONS) ""; do
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
	done
	if [ -z "$$python" ]; then
	    echo "fluxd needs Python 3.11 or newer; PYTHON=/path/to/python3 says where it is." >&2
	    exit 1
	fi
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then
	    install_packages "$$("$$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
	fi
	"$$python" -m venv --clear $(VENV)
	touch $@

$(VENV)/installed: $(VENV)/created pyproject.toml
	@echo "Installing fluxd into $(VENV)"
	$(PIP) install --editable .
	touch $@

# Dependency groups need pip 25.1; Debian 12 has 23.0.
$(VENV)/installed-%: $(VENV)/installed
	@echo "Installing what make $* needs into $(VENV)"
	$(PIP) install --upgrade 'pip>=25.1'
	$(PIP) install --group $*
	touch $@
