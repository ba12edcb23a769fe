# SPDX-License-Identifier: GPL-2.0
#
# Entry points for people. `make help` lists them. The module itself is described in Kbuild.

DRIVER ?= igb_rs
KDIR ?=
TESTS ?=
# All of `make test`, but of the tests in guests those of a file that `make test-list` has written.
ONLY ?=
# Another of Debian's kernels in the place of the stock one, as uname -r has it.
KERNEL_RELEASE ?=
# The kernel the module is for, and that is booted: stock, debug, kcsan or rt.
KERNEL ?= stock
FLAVOUR ?= debug
# Another QEMU in the place of the usual one: a suite or version of tests/env/qemu.series, or a program.
QEMU ?=
# Of make compare.
ROUNDS ?= 5

# With C igb: what Documentation/parity.rst says of it.
ifeq ($(DRIVER)$(TESTS),igb)
TESTS := -m parity
endif

# Kernels `make test` is about: the one asked for; else, for a selection of tests, the stock one;
# else that one, and the one with detectors for a share of the tests.
asked_for := $(if $(filter-out file,$(origin KERNEL)),$(KERNEL))
tested := $(or $(asked_for),$(if $(TESTS),stock))
# Those of `make test-all`, unless it is asked for one.
all_kernels := $(or $(asked_for),stock debug kcsan rt)
with = $(patsubst %,--with %,$(filter-out stock,$(1)))
meanwhile = $(patsubst %,--meanwhile %,$(filter-out stock,$(1)))
# What the tests need beyond `make run`: if it is missing, it is made while the others run. What most
# seconds of tests wait for comes first.
beside = $(call meanwhile,$(or $(tested),debug) vm $(if $(TESTS)$(tested),,debian))

# Runs a command in the toolchain root, which is made first if it is missing.
ENTER := tests/env/env enter
ENTER_KERNEL = $(ENTER) $(call with,$(KERNEL))
export IGB_RS_FLAVOUR := $(KERNEL)
export IGB_RS_RELEASE := $(KERNEL_RELEASE)
export IGB_RS_QEMU := $(QEMU)

kbuild = $(MAKE) -C $(1) M=$(2) MO=$(2)/build/module modules

.DEFAULT_GOAL := help

.PHONY: help
help:
	@echo 'make run                 build, boot the stock kernel, show the card and seven VFs at work'
	@echo 'make shell               the same guest with a prompt'
	@echo 'make test                the checks and tests; TESTS="-k ..." runs these tests only'
	@echo 'make check, test-host, test-gate, test-guest, test-debug      the parts of it'
	@echo 'make test-all            also the long ones, under every kernel; ends in a table'
	@echo 'make test KERNEL=debug   under the kernel with detectors (kcsan: with race detection; rt: PREEMPT_RT)'
	@echo 'make test KERNEL_RELEASE=X     under another of Debian'"'"'s kernels, such as 7.2.12+deb13-amd64'
	@echo 'make matrix              make run under each kernel of tests/env/kernel.matrix; ends in a table'
	@echo 'make run QEMU=trixie     with another QEMU: a suite, a version such as 10.0, or a program; also test, shell'
	@echo 'make qemu-matrix         make run and the tests of the device model with each QEMU of tests/env/qemu.series'
	@echo 'make deb                 the Debian package igb-rs-dkms, into build/deb'
	@echo 'make series              patches to the kernel, built, checked and booted; build/series has them'
	@echo 'make patches             only write them'
	@echo 'make debug-kernel        only build that kernel; FLAVOUR=kcsan, rt the others'
	@echo 'make fuzz                the mailbox, coverage-guided; SECONDS=n (300) is how long'
	@echo 'make demo-vm             two virtual machines with a VF each, step by step'
	@echo 'make compare             what a VF is worth to one: figures and plots in build/compare'
	@echo 'make bench               what a packet costs next to the C driver: one table, a plot'
	@echo 'make bench-quick         the data path of it'
	@echo 'make scoreboard          the kernel'"'"'s own driver tests with C igb and igb_rs: Documentation/scoreboard.rst'
	@echo 'make test-list           the tests that would run, by kernel'
	@echo 'make test-record         records what they ask of their guests, which make test checks'
	@echo 'make modules             build/module/igb_rs.ko for the stock kernel'
	@echo 'make modules KDIR=DIR    the same for a kernel tree of your own, with your toolchain'
	@echo 'make registers           write the tables of Documentation/registers.rst from the source'
	@echo 'make prepare             only fill the cache (toolchain root, kernel, guest), or mend it'
	@echo 'make prepare-vm          and the image of a guest that has virtual machines'
	@echo 'make enter               a shell in the toolchain root'
	@echo 'make clean               remove build/'
	@echo 'make clean-cache         empty the cache, unless it is in use'
	@echo
	@echo 'DRIVER=igb runs run, shell and test with the stock C driver instead: the tests of Documentation/parity.rst.'
	@echo 'The cache is in $$IGB_RS_CACHE, else $$XDG_CACHE_HOME/igb-rs, else ~/.cache/igb-rs.'
	@echo 'Packages come from the mirror of this host'"'"'s apt, or from $$IGB_RS_MIRROR.'

.PHONY: modules
modules:
	@mkdir -p build/module
ifeq ($(KDIR),)
	$(ENTER_KERNEL) tests/build-module
else
	$(call kbuild,$(KDIR),$(CURDIR))
endif

.PHONY: run shell
run shell:
	$(ENTER_KERNEL) tests/programs/$@ --driver $(DRIVER) --kernel $(KERNEL)

run_all = $(ENTER) $(1) tests/run-all --driver $(DRIVER)

.PHONY: test test-host test-gate test-guest test-debug test-record test-list check
ifeq ($(KERNEL_RELEASE)$(QEMU),)
# In the toolchain root there is this tree and nothing else, and the list may be anywhere.
test:
	$(if $(ONLY),mkdir -p build && cat $(ONLY) >build/only.new && mv build/only.new build/only.list)
	$(call run_all,$(beside)) $(tested:%=--kernel %) $(ONLY:%=--only=build/only.list) $(TESTS)
else
# What depends on neither kernel nor QEMU is left out, and so are the figures of the usual ones.
test:
	$(call run_all) $(if $(TESTS),,--part run) --part guest --kernel $(KERNEL) $(TESTS)
endif

# The kernels of tests/env/kernel.matrix; RELEASES="..." only these. The same with QEMUs.
.PHONY: matrix qemu-matrix
matrix:
	tests/matrix kernels $(RELEASES)
qemu-matrix:
	tests/matrix qemus $(QEMU)

# The Debian package, into build/deb: by the tools of this machine, or else of a Debian in the cache.
.PHONY: deb
deb:
ifneq ($(and $(shell command -v dpkg-buildpackage),$(shell command -v dh_dkms)),)
	tests/package here
else
	@echo "building in a Debian of the cache; with 'apt install build-essential debhelper dh-dkms' it takes seconds"
	$(ENTER) --with debian tests/package build
endif

check test-host test-gate:
	$(call run_all,$(if $(filter check,$@),--with debian)) --part $(@:test-%=%)

test-guest:
	$(call run_all,$(beside)) --part guest $(tested:%=--kernel %) $(TESTS)

test-debug:
	$(call run_all,--with debug) --part debug $(TESTS)

# What the tests of each file may ask of their guests.
test-record:
	$(call run_all,$(beside)) --part guest --part debug --record

# The tests that would run, one a line, to compare with another tree.
test-list:
	@$(call run_all) --list $(tested:%=--kernel %) $(TESTS)

.PHONY: test-all
test-all:
	$(call run_all,$(call meanwhile,$(all_kernels) vm debian $(if $(TESTS),,older series))) --table \
		$(all_kernels:%=--kernel %) --long $(TESTS)

# A guest that has guests of its own: a bigger image, made when it is first needed.
.PHONY: demo-vm compare
demo-vm:
	$(ENTER) --with vm tests/programs/$@ --driver $(DRIVER)

compare:
	$(ENTER) --with vm tests/programs/$@ --driver $(DRIVER) --rounds $(ROUNDS)

# The tables of registers in the documentation, from the source.
.PHONY: registers
registers:
	$(ENTER) env IGB_RS_WRITE=1 cargo test --quiet --locked --manifest-path tests/host/Cargo.toml \
		--test all registers::the_page

# The kernel's scripts for network drivers, with C igb and with this one; SCRIPTS="tso csum" only those
# whose names contain one of these words.
SCRIPTS ?=
.PHONY: scoreboard
scoreboard: modules
	$(ENTER) tests/scoreboard/run $(addprefix --only ,$(SCRIPTS))

.PHONY: fuzz
fuzz:
	$(ENTER) tests/fuzz $(SECONDS)

# BENCH="--profile tx60" also prints instructions per function.
BENCH ?=

.PHONY: bench bench-quick bench-record
bench: modules
	$(ENTER) tests/bench/run $(BENCH)
bench-quick: modules
	$(ENTER) tests/bench/run --quick $(BENCH)
# What the gate in `make test` compares with.
bench-record: modules
	$(ENTER) tests/bench/run --record

.PHONY: prepare
prepare:
	tests/env/env prepare

.PHONY: prepare-vm
prepare-vm:
	tests/env/env vm

# Patches are signed off by who makes them.
.PHONY: series patches
series patches: export IGB_RS_IDENTITY = $(shell git config user.name) <$(shell git config user.email)>
series:
	$(ENTER) --with series tests/series/make all
patches:
	$(ENTER) tests/series/make patches

.PHONY: debug-kernel
debug-kernel:
	tests/env/env debug-kernel $(FLAVOUR)

.PHONY: enter
enter:
	$(ENTER) bash

.PHONY: clean
clean:
	rm -rf build

.PHONY: clean-cache
clean-cache:
	tests/env/env clean
