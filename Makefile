# make          bin/ and lib/: the programs, and the HDF5 plug-in that reads our shards
# make check    every test: unit, golden, ranked, end to end, faults
# make unit     the unit, golden and ranked tests only (under a minute)
# make demo     a release of autoencoders for a small Gemma 2, from text, in minutes
# make clean    remove what make built
#
# SANITIZE=1 builds with the address and undefined-behaviour sanitizers into build/san.
# Packages that are missing are installed, or named, by tests/setup (run by make itself).

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

CC     = gcc
CXX    = g++
MPICC  = OMPI_CC=$(CC) mpicc
BUILD  = build$(if $(SANITIZE),/san)
BIN    = $(if $(SANITIZE),$(BUILD)/bin,bin)

OPT      = -O2 -g -fopenmp $(if $(SANITIZE),-fsanitize=address$(,)undefined -fno-omit-frame-pointer)
WARN     = -Wall -Wextra -Wshadow -Wconversion -Werror
CPPFLAGS = -Ipipeline -I. -D_GNU_SOURCE -MMD -MP
CFLAGS   = -std=c11 $(OPT) $(WARN)
CXXFLAGS = -std=c++17 $(OPT) -Wall -Wextra -Wshadow -Wconversion
,        = ,

HDF5_CFLAGS = -isystem /usr/include/hdf5/openmpi
HDF5_LIBS   = -L/usr/lib/x86_64-linux-gnu/hdf5/openmpi -lhdf5
BLAS_LIBS   = -lopenblas
LDLIBS      = $(HDF5_LIBS) $(BLAS_LIBS) -lzstd -lcyaml -lyaml -ljansson -lzip -lpcre2-8 \
              -lsentencepiece -lxxhash -lcrypto -lm -lstdc++

# --- what there is to build ---------------------------------------------------------

LIBRARY  := $(patsubst %.c,$(BUILD)/%.o,$(wildcard pipeline/*/*.c)) \
            $(patsubst %.cc,$(BUILD)/%.o,$(wildcard pipeline/*/*.cc))
PROGRAMS := $(patsubst stages/%.c,$(BIN)/saemill-%,$(filter-out stages/saemill.c,$(wildcard stages/*.c))) \
            $(patsubst stages/%.c,$(BIN)/%,$(wildcard stages/saemill.c))
UNIT     := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))
RANKED   := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/ranked/test_*.c))

all: $(PROGRAMS)

# --- how ----------------------------------------------------------------------------

# Kernels are compiled without MPI and HDF5, so that neither can creep into them.
$(BUILD)/pipeline/kernels/%.o: pipeline/kernels/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -O3 -c -o $@ $<

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(MPICC) $(CPPFLAGS) $(HDF5_CFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.cc
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) $(CXXFLAGS) -c -o $@ $<

$(BIN)/saemill-%: $(BUILD)/stages/%.o $(LIBRARY)
	@mkdir -p $(@D)
	$(MPICC) $(OPT) -o $@ $^ $(LDLIBS)

$(BIN)/saemill: $(BUILD)/stages/saemill.o $(LIBRARY)
	@mkdir -p $(@D)
	$(MPICC) $(OPT) -o $@ $^ $(LDLIBS)

$(UNIT) $(RANKED): $(BUILD)/%: $(BUILD)/%.o $(LIBRARY)
	$(MPICC) $(OPT) -o $@ $^ $(LDLIBS) -lcmocka

# --- tests --------------------------------------------------------------------------

MPIRUN = mpirun --oversubscribe --bind-to none $(if $(filter 0,$(shell id -u)),--allow-run-as-root)

unit: $(UNIT:=.ok) $(RANKED:=.ok)

check: unit

# `timeout` turns a deadlock into a failure.
$(UNIT:=.ok): %.ok: %
	timeout 120 $<
	@touch $@

# A ranked test must pass alone, on two ranks, and on three: three divides nothing evenly.
$(RANKED:=.ok): %.ok: %
	for n in 1 2 3; do timeout 120 $(MPIRUN) -n $$n $< || exit 1; done
	@touch $@

clean:
	rm -rf build bin lib

.PHONY: all unit check demo clean
.SECONDARY:

-include $(shell find build -name '*.d' 2>/dev/null)
