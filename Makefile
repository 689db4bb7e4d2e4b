# Lan Tỏa. Every target installs what it needs: Python's packages from the lock files, the front-end's from npm.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: setup dev run demo test check lint docs bench live chaos lock clean browser tools channel

setup: .venv/.ready node_modules/.ready ## install the program into .venv

.venv/.ready: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --require-hashes -r requirements-build.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q campaigns channels content store web *.py
	touch $@

node_modules/.ready: package-lock.json .venv/.ready
	if command -v npm >/dev/null; then npm ci --ignore-scripts --no-audit --no-fund --loglevel=error; \
	else $(PIP) install --require-hashes -r requirements-node.lock && $(BIN)/npm ci --ignore-scripts --no-audit --no-fund --loglevel=error; fi
	touch $@

dev: setup .venv/.dev ## install what tests and checks need

.venv/.dev: requirements-dev.lock .venv/.ready
	$(PIP) install --require-hashes -r requirements-dev.lock
	touch $@

browser:
	command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; }

tools: .venv/wordpress/.getid3
	{ command -v systemd-analyze && command -v strace && command -v icecast2 && command -v postfix && command -v dovecot; } >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends systemd strace icecast2 postfix dovecot-imapd >/dev/null; }

# A real WordPress for its channel's tests, unpacked beside the program: installed, it would bring a web server that starts by itself.
# The SQLite drop-in (GPL, for the tests alone) comes with WordPress' own npm package.
.venv/wordpress/.ready: | node_modules/.ready
	rm -rf $(@D) && mkdir -p $(@D)
	apt-get update -qq && apt-get install -y -qq --no-install-recommends php-cli php-sqlite3 php-xml php-mbstring php-gd >/dev/null
	cd $(@D) && apt-get download -qq wordpress wordpress-theme-twentytwentyone && for package in *.deb; do dpkg -x $$package .; done
	cd $(@D) && $$(command -v npm || echo ../bin/npm) pack --silent @wp-playground/cli@3.1.56
	cd $(@D) && echo "253c65e9d8cf10cd98458cffc3e054a32a02be14861c88ea322e1f315d5bf28d543cdbd96ad2da4bba29a39ed4b2b544957adf759c2f8ba22ec92e0bb30531f5  wp-playground-cli-3.1.56.tgz" | sha512sum --check --quiet
	cd $(@D) && tar -xzf wp-playground-cli-3.1.56.tgz --strip-components=1 package/sqlite-database-integration.zip && rm *.deb *.tgz
	touch $@

# What WordPress reads of a video that is brought to its library; Debian packs it apart.
.venv/wordpress/.getid3: .venv/wordpress/.ready
	cd $(@D) && apt-get download -qq php-getid3 && dpkg -x php-getid3_*.deb . && rm php-getid3_*.deb
	touch $@

run: setup ## the demo of both wards at http://127.0.0.1:8000/quan-tri
	exec $(BIN)/lantoa demo

demo: run

test: dev browser tools ## every test, on SQLite and PostgreSQL, in a real browser
	EVERY_TEST=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

lint: dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test ## format, lint, types, layers, tests

docs: dev ## write the generated tables of the docs again
	$(BIN)/python docs/generate.py

channel: dev ## a new channel's adapter, twin, tests and page: make channel kind=bangtin name="Bảng tin"
	$(BIN)/python -m channels.scaffold "$(kind)" --name "$(name)" --day "$$(date +%d/%m/%Y)"
	$(MAKE) setup docs

live: dev ## hold the channels to their contract on the real platforms, with keys from the environment (docs/channels/live.md)
	$(BIN)/python -m tests.live $(ONLY)

chaos: dev ## the long crash tests; one alone: make chaos ONLY=R1 N=50 SEED=7
	command -v strace >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends strace >/dev/null; }
	$(BIN)/python -m tests.chaos $(if $(ONLY),--only $(ONLY)) $(if $(N),--size $(N)) $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES))

bench: dev .venv/.peers ## compare with the named references, in one run; one section alone: make bench ONLY=fanout
	{ command -v wrk && command -v redis-server; } >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends wrk redis-server >/dev/null; }
	$(BIN)/python -m benchmarks $(if $(ONLY),only=$(ONLY))

.venv/.peers: benchmarks/peers/requirements.lock benchmarks/peers/package.json
	test -x .venv/peers/bin/python || $(PYTHON) -m venv .venv/peers
	.venv/peers/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r benchmarks/peers/requirements.lock
	if command -v npm >/dev/null; then cd benchmarks/peers && npm install --ignore-scripts --omit=optional --no-package-lock --no-audit --no-fund --loglevel=error; fi
	touch $@

lock: ## resolve the lock files again
	$(PIP) install pip-tools
	$(BIN)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --strip-extras --allow-unsafe -o requirements.lock pyproject.toml
	$(BIN)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --strip-extras --allow-unsafe --extra dev --extra postgresql -c requirements.lock -o requirements-dev.lock pyproject.toml

clean:
	rm -rf .venv node_modules benchmarks/peers/node_modules
