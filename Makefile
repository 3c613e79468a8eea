# quorate: one Makefile for everything, never recursive over folders, all output under build/.
#
#   make            build/quorate                     make demo      from an empty machine to a rehearsed recovery
#   make test       everything, with a summary        make install   PREFIX=/usr/local DESTDIR=
#   make help       the other targets and the knobs

SHELL := /bin/bash
.SUFFIXES:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory
JOBS ?= $(shell nproc)
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(JOBS)
endif

ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
# Sanitizers, as in SAN=address,undefined: a variant of its own beside the plain one, like each other compiler.
SAN ?=
# Folders to compile; fewer while one is being rebuilt, as in DIRS="base value".
DIRS ?= base value lua io store task plan run ui cmd
# Words that pick unit tests by name, as in T=yaml or T="arena buf".
T ?=

# --- names ---------------------------------------------------------------------------------------------------------

comma := ,
VARIANT := $(filter-out gcc cc,$(notdir $(lastword $(CC))))$(if $(SAN),-$(subst $(comma),-,$(SAN)))
VARIANT := $(or $(patsubst -%,%,$(VARIANT)),plain)
OUT := build/$(VARIANT)
BIN := $(if $(filter plain,$(VARIANT)),build/quorate,$(OUT)/quorate)
RESULTS := build/results

SRC := $(sort $(wildcard $(DIRS:%=interp/%/*.c)))
HDR := $(sort $(wildcard $(DIRS:%=interp/%/*.h)))
OBJ := $(SRC:%.c=$(OUT)/%.o)
MAIN := $(OUT)/interp/cmd/main.o
LIB := $(OUT)/libquorate.a
LIBOBJ := $(filter-out $(MAIN),$(OBJ)) $(OUT)/embedded.o

# What the binary carries: the library and the runbooks, in an order that is the same everywhere.
EMBED := $(shell find stdlib runbooks -type f \( -name '*.lua' -o -name '*.yaml' \) 2>/dev/null | LC_ALL=C sort)

UNIT_ALL := $(sort $(wildcard tests/unit/test_*.c))
UNIT_SRC := $(if $(T),$(sort $(foreach t,$(T),$(wildcard tests/unit/test_*$(t)*.c))),$(UNIT_ALL))
UNIT_BIN := $(UNIT_SRC:%.c=$(OUT)/%)
UNIT_HELP := $(patsubst %.c,$(OUT)/%.o,$(filter-out $(UNIT_ALL),$(wildcard tests/unit/*.c)))
TEST_OBJ := $(UNIT_ALL:%.c=$(OUT)/%.o) $(UNIT_HELP) $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/fuzz/*.c tests/bench/*.c tests/crash/*.c))

# --- flags ---------------------------------------------------------------------------------------------------------

# libcurl is loaded when it is first used, so only its headers are wanted here.
PKGS := lua5.4 yaml-0.1 sqlite3 libuv jansson
# Asked once, and only when something is compiled: `make deps` must work where there is no pkg-config yet.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(PKGS) libcurl))$(PKG_CFLAGS)
# Lua is linked in where there is an archive of it: calls into a shared library cost a tenth of an exploration.
PKG_LIBS = $(eval PKG_LIBS := $$(patsubst -llua5.4,$$(LUA_LIB),$$(shell pkg-config --libs $(PKGS))))$(PKG_LIBS)
LUA_LIB = $(firstword $(wildcard $(shell pkg-config --variable=libdir lua5.4)/liblua5.4.a) -llua5.4)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 $(if $(WERROR),-Werror)
OPTIMIZED := $(filter -O1 -O2 -O3 -Os,$(CFLAGS))
HARDEN := -fPIE -fstack-protector-strong $(if $(SAN),,$(if $(OPTIMIZED),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2))
SANFLAGS := $(if $(SAN),-O1 -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
BASEFLAGS := -std=gnu11 -Iinterp -ffile-prefix-map=$(CURDIR)=.
ALL_CFLAGS = $(BASEFLAGS) $(WARN) $(HARDEN) $(PKG_CFLAGS) $(CPPFLAGS) $(CFLAGS) $(SANFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(CFLAGS) $(SANFLAGS) $(LDFLAGS)
ALL_LIBS = $(PKG_LIBS) -ldl -lm -lpthread $(LDLIBS)

Q := $(if $(V),,@)
say = @$(if $(V),:,printf '  %-5s %s\n' '$(1)' '$(2)')

# --- the program ---------------------------------------------------------------------------------------------------

.PHONY: all
all: $(BIN)

$(BIN): $(MAIN) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LIBS)

# Listed rather than updated, so that an object whose source is gone does not live on in it.
$(LIB): $(LIBOBJ) $(OUT)/objects.list
	$(Q)rm -f $@ && ar qcs $@ $(LIBOBJ)

.PHONY: objs
objs: $(OBJ) $(OUT)/embedded.o $(TEST_OBJ)

# Warnings are kept beside the object, so that `make lint` can fail on them without compiling everything again.
compile = $(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $< 2>$@.warn || { cat $@.warn >&2; rm -f $@; exit 1; }; cat $@.warn >&2

$(OUT)/%.o: %.c $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(compile)

$(OUT)/embedded.o: build/embedded.c $(EMBED) $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(compile)

build/embedded.c: build/embedded.list interp/cmd/embed.awk
	$(Q)LC_ALL=C awk -f interp/cmd/embed.awk $< >$@

# Files that change only when what is in them does: flags, lists of files.
define remember
	@mkdir -p $(@D)
	@printf '%s\n' $(1) | cmp -s - $@ || printf '%s\n' $(1) >$@
endef

.PHONY: FORCE
FORCE:
$(OUT)/flags: FORCE
	@pkg-config --exists $(PKGS) libcurl || { echo "Some of the libraries are missing (pkg-config $(PKGS) libcurl). Try: make deps" >&2; exit 1; }
	$(call remember,'$(CC) $(filter-out -Werror,$(ALL_CFLAGS))')
$(OUT)/objects.list: FORCE
	$(call remember,$(LIBOBJ))
build/embedded.list: FORCE
	$(call remember,$(EMBED))

-include $(OBJ:.o=.d) $(TEST_OBJ:.o=.d)

.PHONY: install uninstall clean
install: $(BIN)
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin/quorate

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/quorate

clean:
	rm -rf build

# --- what the machine needs ----------------------------------------------------------------------------------------

# One package a word; a|b is satisfied by either, and a is installed if there is none.
DEPS := gcc libc6-dev binutils pkgconf|pkg-config liblua5.4-dev libyaml-dev libsqlite3-dev libuv1-dev libjansson-dev \
	libcurl4-openssl-dev|libcurl4-gnutls-dev|libcurl4-nss-dev uthash-dev libarchive-dev
# An etcd that tests start themselves, on ports of their own: the packages' own must not come up.
DEPS_ETCD := etcd-server etcd-client
DEPS_TEST := ca-certificates openssl openssh-client libcmocka-dev bats valgrind libc6-dbg shellcheck clang clang-tidy lua5.4 git

.PHONY: deps deps-test deps-lab
deps:
	@.ci/install 'To build' $(foreach p,$(DEPS),'$(p)')
deps-test: deps
	@.ci/install 'To test' $(foreach p,$(DEPS_TEST),'$(p)')
	@.ci/install --no-services 'To test' $(DEPS_ETCD)
# Engines and ssh servers that the lab starts itself: the machine's own must not come up.
deps-lab: deps-test
	@.ci/install --no-services 'For the lab' $$(tests/lab/lab deps)

# --- the demonstration ---------------------------------------------------------------------------------------------

.PHONY: demo
demo: deps
	@+$(MAKE) build/quorate
	@tests/run demo build/quorate

# --- tests ---------------------------------------------------------------------------------------------------------

.PHONY: test test-unit test-stdlib test-san test-valgrind test-cases test-fuzz test-store test-crash test-lab lint bench
test: deps-test
	@+MAKE='$(MAKE)' tests/run all

SUITE := $(if $(filter plain,$(VARIANT)),,-$(VARIANT))

test-unit: $(UNIT_BIN)
	@tests/run unit unit$(SUITE) $(UNIT_BIN)

test-valgrind: $(UNIT_BIN)
	@tests/run valgrind valgrind$(SUITE) $(UNIT_BIN)

test-cases: $(BIN)
	@tests/run cases cases$(SUITE) $(BIN)

test-stdlib:
	@tests/run stdlib stdlib

test-san:
	@+$(MAKE) SAN=address,undefined test-unit

test-fuzz:
	@+$(MAKE) SAN=address,undefined fuzz-mutate

.PHONY: fuzz-mutate
fuzz-mutate: $(OUT)/tests/fuzz/mutate_check
	@tests/run fuzz fuzz $(OUT)/tests/fuzz/mutate_check

test-crash: $(OUT)/tests/crash/matrix
	@tests/run crash crash $(OUT)/tests/crash/matrix

test-lab: $(BIN)
	@tests/run lab lab $(BIN)

test-store: $(BIN)
	@tests/run store store $(BIN)

lint:
	@+MAKE='$(MAKE)' tests/lint/run

BENCH := $(OUT)/tests/bench/explore
bench: $(BIN) $(BENCH)
	@tests/run bench $(BIN) $(BENCH)

UNIT_OBJ := $(UNIT_ALL:%.c=$(OUT)/%.o)
$(UNIT_OBJ) $(UNIT_HELP): BASEFLAGS += -Itests/unit
.SECONDARY: $(UNIT_OBJ) $(UNIT_HELP) $(TEST_OBJ)

$(OUT)/tests/unit/%: $(OUT)/tests/unit/%.o $(UNIT_HELP) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(ALL_LIBS)

$(OUT)/tests/fuzz/%: $(OUT)/tests/fuzz/%.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LIBS)

$(OUT)/tests/crash/%: $(OUT)/tests/crash/%.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LIBS)

$(OUT)/tests/bench/%: $(OUT)/tests/bench/%.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LIBS)

# --- lint: one stamp a file, so that only what changed is looked at again ------------------------------------------

LINT := build/lint
LINT_SRC := $(SRC) $(UNIT_ALL) $(wildcard tests/fuzz/*.c tests/bench/*.c tests/crash/*.c)
LINT_HDR := $(HDR:%=$(LINT)/header/%.ok)
LINT_TIDY := $(LINT_SRC:%=$(LINT)/tidy/%.ok)
LINT_FLAGS = $(BASEFLAGS) $(WARN) $(PKG_CFLAGS) -Itests/unit

.PHONY: lint-warnings lint-headers lint-tidy
lint-warnings: $(OBJ) $(OUT)/embedded.o $(TEST_OBJ)
	@! cat $(^:%.o=%.o.warn) /dev/null | grep .

lint-headers: $(LINT_HDR)
lint-tidy: $(LINT_TIDY)

$(LINT)/header/%.ok: % Makefile
	@mkdir -p $(@D)
	@$(CC) $(LINT_FLAGS) -Werror -fsyntax-only -MMD -MP -MT $@ -MF $@.d -x c -include $< /dev/null
	@touch $@

$(LINT)/tidy/%.ok: % .clang-tidy Makefile
	@mkdir -p $(@D)
	@$(CC) $(LINT_FLAGS) -MM -MP -MT $@ -MF $@.d $<
	@clang-tidy --quiet $< -- $(LINT_FLAGS) >$@.log 2>/dev/null || { cat $@.log; exit 1; }
	@touch $@

-include $(LINT_HDR:=.d) $(LINT_TIDY:=.d)

define HELP
  make                 build/quorate
  make demo            install what is missing, build, plan and rehearse the mending of a swarm without a leader
  make test            install what tests need, run all of them, end with a summary
  make test-unit       unit tests; T=yaml picks by name; SAN=address,undefined and CC=clang build variants of their own
  make test-san        unit tests under the address and undefined-behaviour sanitizers
  make test-crash      rehearsed runs, killed at each record and taken up again; SEED=N repeats one
  make test-valgrind   unit tests under valgrind
  make test-stdlib     the pure functions and effects of the library
  make test-cases      whole texts: tests/cases/check and tests/cases/cli; T= picks by name, UPDATE=1 accepts what is printed
  make test-fuzz       damaged runbooks against check; QUORATE_SEED=N repeats a run
  make test-store      journals in a real etcd of three members
  make test-lab        real engines in namespaces, as root
  make lint            layers, warnings, clang-tidy, shellcheck, luac, sizes
  make bench           what planning costs: exploration, its growth, whole processes
  make objs            compile everything there is, link nothing; DIRS="base value" limits the folders
  make install         PREFIX=/usr/local DESTDIR=
  make deps deps-test deps-lab   install packages, only the missing ones

  V=1 shows the commands. CFLAGS, CPPFLAGS, LDFLAGS and LDLIBS from outside are added to what is needed anyway.
endef

.PHONY: help
help:
	$(info $(HELP))@:
