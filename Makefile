# SPDX-License-Identifier: Apache-2.0
# The front door.  The real build is Meson's; this file installs what it needs
# and names the things that people do here.
#
#   BUILD=DIR      where to build (default: build)
#   PREFIX=DIR     where to install (default: /usr/local), below DESTDIR=
#   JOBS=N         how much at once (default: one for each processor)
#   NODEPS=1       never install packages

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?=
MESON ?= meson
NINJA ?= ninja
SAN = $(BUILD)-san
DEPS = $(if $(NODEPS),:,tools/install-deps)

# A reader of Makefiles may run targets at once; ours take turns.
.NOTPARALLEL:
.PHONY: build help demo test san lint fuzz bench bench-boot cover conformance \
	docs install uninstall deb check-deb check-image check-units clean deps deps-test deps-san

build: deps $(BUILD)/build.ninja ## build the program and the library
	@$(NINJA) -C $(BUILD) -j $(JOBS) $(NINJAFLAGS)

help: ## show this list
	@echo 'usage: make [TARGET] [BUILD=DIR] [PREFIX=DIR] [DESTDIR=DIR] [JOBS=N]'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 16

demo: build ## build, then the whole story on this machine
	@$(BUILD)/src/cli/chainmend demo

test: deps deps-test ## build, then every test
	@tools/run-tests --build $(BUILD) --jobs $(JOBS)

san: deps deps-test ## the unit and fuzz tests with ASan and UBSan alone
	@tools/run-tests --build $(BUILD) --jobs $(JOBS) --only san

lint: build ## style and static analysis
	@$(DEPS) tools/deps-lint.list
	@tools/lint --build $(BUILD) --jobs $(JOBS)

fuzz: deps ## fuzz each parser (FUZZ_SECONDS=60 FUZZ_TARGETS="cursor ...")
	@$(DEPS) tools/deps-fuzz.list
	@tools/run-fuzz --build $(BUILD)-fuzz --seconds $(FUZZ_SECONDS) \
		--jobs $(JOBS) $(FUZZ_TARGETS)

bench: deps ## measure against peers in the same run
	@$(DEPS) tools/deps-bench.list
	@tools/run-bench --build $(BUILD)-bench --jobs $(JOBS)

bench-boot: deps
	@tools/run-bench --build $(BUILD)-bench --jobs $(JOBS) boot

cover: deps deps-test ## how much of src the tests reach
	@$(DEPS) tools/deps-cover.list
	@tools/run-cover --build $(BUILD)-cover --jobs $(JOBS)

conformance: build deps-test ## outside suites, where they stand
	@tools/conformance --build $(BUILD)

docs: build ## the manual pages as HTML, in BUILD/html
	@$(DEPS) tools/deps-lint.list
	@tools/make-html --pages $(BUILD)/docs --out $(BUILD)/html

install: build ## install below PREFIX
	@DESTDIR=$(DESTDIR) $(MESON) configure $(BUILD) \
		-Dprefix=$(abspath $(PREFIX)) >/dev/null
	@DESTDIR=$(DESTDIR) $(MESON) install -C $(BUILD) --quiet

deb: deps ## Debian packages, in BUILD-deb
	@$(DEPS) tools/deps-deb.list
	@tools/make-deb $(BUILD)-deb

check-deb: deps ## are the packages the same twice, and do they work? (root)
	@$(DEPS) tools/deps-deb.list
	@tools/check-deb --out $(BUILD)-deb

check-units: deps ## do the systemd units work under a real systemd? (root)
	@$(DEPS) tools/deps-deb.list
	@tools/check-units --out $(BUILD)-deb

check-image: deps ## does the Dockerfile make an image that works? (root)
	@$(DEPS) tools/deps-deb.list
	@tools/check-image --out $(BUILD)-deb

uninstall: ## remove what install wrote from this build directory
	@DESTDIR=$(DESTDIR) $(NINJA) -C $(BUILD) uninstall >/dev/null
	@find $(DESTDIR)$(abspath $(PREFIX)) -depth -type d -path '*/chainmend*' \
		-empty -delete 2>/dev/null || :

clean: ## remove what was built
	rm -rf $(BUILD) $(SAN) $(BUILD)-fuzz $(BUILD)-bench $(BUILD)-cover $(BUILD)-deb

deps:
	@$(DEPS) tools/deps.list

deps-test:
	@$(DEPS) tools/deps-test.list

# Tests are built only where cmocka is: `make` needs no test packages.
$(BUILD)/build.ninja:
	@$(MESON) setup $(BUILD) -Dtests=auto >/dev/null
