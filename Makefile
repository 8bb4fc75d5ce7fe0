# make          bin/ and lib/: the programs, and the HDF5 plug-in that reads our shards
# make check    every test: unit, golden, ranked, end to end, faults
# make unit     the unit, golden and ranked tests only (two minutes)
# make structure       the order of the rooms, names, comments, form: what make check begins with
# make format   C files in the form of .clang-format
# make compile_commands.json   how each file is compiled, for editors and other tools
# make faults          kills, failing calls, failing memory, damaged files by the thousand (POINTS=1000)
# make fuzz            every parser of foreign bytes under libFuzzer (EXECUTIONS=10000, PARSERS=...)
# make ready         what all tests need before the first one: programs, packages
# make check-slurm     whole suites under a real Slurm on this machine (some minutes; needs root)
# make check-demo      whether README.md shows the scores that the demo has (three minutes)
# make check-reorder   a shuffle of each of many numbers of rows, row by row (minutes)
# make demo     a release of autoencoders for a small Gemma 2, from text, in minutes
# make demo-work   then: what its latents are good for (minutes)
# make bench-shuffle   how much dearer than a copy a shuffle is (minutes)
# make bench-train     how much dearer than its one dense product a training step is (minutes)
# make compare-shuffles   whether the order of the rows matters (20 minutes)
# make compare-precision   bf16 and float32 training, beside a plain float64 one (6 minutes)
# make bench-planted   how much of a planted dictionary three architectures recover (a minute)
# make bench-circuit   what a test of an edge costs beside the products it needs (minutes)
# make bench-generate  how fast 64 completions are made, next to their products (a minute)
# make compare-plan    what plan says of the demo, beside what it takes
# make bench-harvest   how near a harvest comes to the matrix units (5 minutes); SHAPE=llama, qwen
# make bench-harvest-full   a checkpoint of 26 layers: time to load, peak memory (5 minutes)
# make clean    remove what make built; runs and the demo's text stay
#
# make threads SANITIZE=thread   the tests of what has threads of its own, under ThreadSanitizer
#
# V=1 shows the commands.  SANITIZE=1 builds with the address and undefined-behaviour
# sanitizers into build/san.  Packages that are missing are installed, or named, by
# tests/setup, which make calls itself.  Where libraries lie elsewhere than pkg-config
# says: make HDF5_CFLAGS=... HDF5_LIBS=... BLAS_CFLAGS=... BLAS_LIBS=...

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

CC     = gcc
CXX    = g++
MPICC  = OMPI_CC='$(CC)' mpicc
PYTHON = /usr/bin/python3
BUILD  = build$(if $(SANITIZE),/$(if $(filter thread,$(SANITIZE)),tsan,san))
BIN    = $(if $(SANITIZE),$(BUILD)/bin,bin)
Q      = $(if $(V),,@)

CHECKS   = $(if $(filter thread,$(SANITIZE)),thread,address$(,)undefined)
# The sanitized build is only tested: what it takes to compile counts more than its speed.
OPT      = $(if $(SANITIZE),-O1 -g1 -fsanitize=$(CHECKS) -fno-omit-frame-pointer,-O2 -g) -fopenmp
WARN     = -Wall -Wextra -Wshadow -Wconversion -Werror
CPPFLAGS = -Ipipeline -I. -D_GNU_SOURCE -MMD -MP
# ThreadSanitizer starts after the functions that choose a clone (clones.h) and would be asked by them.
CPPFLAGS += $(if $(filter thread,$(SANITIZE)),-DONE_CLONE=)
CFLAGS   = -std=c11 $(OPT) $(WARN)
FAST     = -O3 -ffp-contract=fast -fno-math-errno
CXXFLAGS = -std=c++17 $(OPT) -Wall -Wextra -Wshadow -Wconversion
,        = ,

# Compile on all cores, and test there, what each test says in one piece.  The demo says how far it is.
# Tests wait at times, so there is one more than cores.
ifeq ($(filter-out all ready demo check unit,$(MAKECMDGOALS)),)
MAKEFLAGS += -j$(shell expr $$(nproc) + 1) $(if $(filter demo,$(MAKECMDGOALS)),,-O)
endif

ifdef SANITIZE
# Whole stacks, or the plug-ins of MPI hide who called them.  And libasan up to gcc 13 takes the words
# before some blocks of thread-local memory for a header of glibc 2.19, and LeakSanitizer then dies
# of them ("Tracer caught signal 11"), now and then.
export ASAN_OPTIONS = fast_unwind_on_malloc=0:intercept_tls_get_addr=0:verify_asan_link_order=0
export LSAN_OPTIONS = suppressions=tests/foreign_leaks:print_suppressions=0
export TSAN_OPTIONS = suppressions=tests/foreign_races:print_suppressions=0
endif

# HDF5 must be a parallel one; Debian calls it hdf5-openmpi.
HDF5        = $(shell for p in hdf5-openmpi hdf5-mpi hdf5; do pkg-config --exists $$p 2> /dev/null && echo $$p && break; done)
HDF5_CFLAGS = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I $(HDF5) 2> /dev/null))
HDF5_LIBS   = $(shell pkg-config --libs $(HDF5))
BLAS_CFLAGS = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I openblas 2> /dev/null))
BLAS_LIBS   = $(shell pkg-config --libs openblas)
# oneDNN is optional: without it there is no bf16 arithmetic.  Asked for at each use, since
# tests/setup may install it first.
ONEDNN      = $(shell echo "\#include <oneapi/dnnl/dnnl.h>" | $(CC) -E - > /dev/null 2>&1 && echo yes)
CPPFLAGS   += $(if $(ONEDNN),-DHAVE_ONEDNN)
LDLIBS      = -Wl,--as-needed $(if $(ONEDNN),-ldnnl) $(HDF5_LIBS) $(BLAS_LIBS) -lzstd -lcyaml \
              -lyaml -ljansson -lzip -lsentencepiece -lpcre2-8 -lunistring -lz -lxxhash -lcrypto -lm -lstdc++

# --- what there is to build ---------------------------------------------------------

LIBRARY  := $(patsubst %.c,$(BUILD)/%.o,$(wildcard pipeline/*/*.c)) \
            $(patsubst %.cc,$(BUILD)/%.o,$(wildcard pipeline/*/*.cc)) \
            $(patsubst %.css,$(BUILD)/%.o,$(wildcard pipeline/*/*.css))
PROGRAMS := $(patsubst stages/%.c,$(BIN)/saemill-%,$(filter-out stages/saemill.c,$(wildcard stages/*.c))) \
            $(patsubst stages/%.c,$(BIN)/%,$(wildcard stages/saemill.c))
UNIT     := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))
RANKED   := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/ranked/test_*.c))
VARIED   := $(foreach v,v1 v3,$(foreach t,adam narrow rows slice sparse,$(BUILD)/$v/test_$t))
BENCH    := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/bench_*.c))
SCRIPTS  := $(patsubst %.sh,build/%,$(wildcard tests/end_to_end/*.sh tests/faults/*.sh))
PLUGIN   := lib/libh5zstd.so

all: $(PROGRAMS) $(PLUGIN)

# --- how ----------------------------------------------------------------------------

# Kernels are compiled without MPI and HDF5, so that neither can creep into them, and may
# use fused multiply-add.
$(BUILD)/pipeline/kernels/%.o: pipeline/kernels/%.c | build/setup.build
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(BLAS_CFLAGS) $(CFLAGS) $(FAST) -c -o $@ $<

$(BUILD)/%.o: %.c | build/setup.build
	@mkdir -p $(@D)
	$(Q)$(MPICC) $(CPPFLAGS) $(HDF5_CFLAGS) $(BLAS_CFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.cc | build/setup.build
	@mkdir -p $(@D)
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) -c -o $@ $<

# The commit, in a file that is written when it differs, before anything is built.
COMMIT := $(shell git describe --always --dirty --abbrev=40 --exclude '*' 2> /dev/null || echo unknown)
$(shell mkdir -p $(BUILD); grep -qsx '$(COMMIT)' $(BUILD)/commit || echo '$(COMMIT)' > $(BUILD)/commit)
$(BUILD)/pipeline/base/version.o: CPPFLAGS += -DCOMMIT='"$(COMMIT)"'
$(BUILD)/pipeline/base/version.o: $(BUILD)/commit

# A text becomes an object with two symbols, its start and its end.
$(BUILD)/%.o: %.css
	@mkdir -p $(@D)
	$(Q)ld -r -z noexecstack -b binary -o $@ $<

# A program takes of the library what it calls, and so loads only those of others that it needs.
$(BUILD)/library.a: $(LIBRARY)
	@rm -f $@
	$(Q)ar rcs $@ $^

LINK = $(MPICC) $(OPT) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS)

$(BIN)/saemill-%: $(BUILD)/stages/%.o $(BUILD)/library.a
	@mkdir -p $(@D)
	$(Q)$(LINK)

$(BIN)/saemill: $(BUILD)/stages/saemill.o $(BUILD)/library.a
	@mkdir -p $(@D)
	$(Q)$(LINK)

$(UNIT) $(RANKED) $(BENCH): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/tests/settled.o $(BUILD)/library.a
	$(Q)$(LINK)

$(UNIT) $(RANKED): LDLIBS += -lcmocka

$(BUILD)/tests/bench/bench_train: $(patsubst %,$(BUILD)/tests/bench/%.o,sent train_scene train_check)

# Hot loops are there for several CPUs (clones.h); tests see those that this one would not
# choose, too: v1 any x86-64, v3 AVX2.
KERNELS := $(filter $(BUILD)/pipeline/kernels/%,$(LIBRARY))

define variant
$$(BUILD)/$1/%.o: %.c | build/setup.build
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CPPFLAGS) -DONE_CLONE='$2' $$(BLAS_CFLAGS) $$(CFLAGS) $$(FAST) -c -o $$@ $$<

$$(BUILD)/$1/test_%: $$(BUILD)/tests/unit/test_%.o $$(KERNELS:$$(BUILD)/%=$$(BUILD)/$1/%) \
                    $$(filter-out $$(KERNELS),$$(LIBRARY))
	$$(Q)$$(MPICC) $$(OPT) -o $$@ $$^ $$(LDLIBS) -lcmocka
endef
$(eval $(call variant,v1,))
$(eval $(call variant,v3,__attribute__((target("arch=x86-64-v3")))))

# For h5py, h5dump and the like: HDF5_PLUGIN_PATH=lib.
$(PLUGIN): pipeline/shard/filter.c pipeline/shard/frame.c | build/setup.build
	@mkdir -p $(@D)
	$(Q)$(MPICC) -Ipipeline $(HDF5_CFLAGS) $(CFLAGS) -fPIC -shared -o $@ $^ -lzstd

build/setup.%: tests/setup
	@mkdir -p $(@D)
	@CC='$(CC)' CPPFLAGS='$(HDF5_CFLAGS) $(BLAS_CFLAGS)' PYTHON='$(PYTHON)' tests/setup $*
	@touch $@

# One apt-get at a time.
build/setup.demo build/setup.check: | build/setup.build
build/setup.slurm build/setup.fuzz: | build/setup.check

# --- demo ---------------------------------------------------------------------------

DEMO_TEXT = jobs/demo/corpus/00.jsonl.zst

demo: all $(DEMO_TEXT)
	@bin/saemill run jobs/demo.yaml

DEMO_WORK = attention unlearning steering inversion
demo-work: all $(DEMO_TEXT)
	@jobs/demo-work/texts.sh
	@for work in $(DEMO_WORK); do bin/saemill run jobs/demo-work/$$work.yaml || exit 1; done
	@$(PYTHON) jobs/demo-work/table.py

$(DEMO_TEXT): jobs/demo/corpus.sh | build/setup.demo
	@jobs/demo/corpus.sh

# --- tests --------------------------------------------------------------------------

# What tests load before a program: strike.c strikes at a named point of its progress, no_locks.c is a
# file system without locks, doze.c lets ranks that wait sleep.
PRELOAD := $(patsubst tests/preload/%.c,build/tests/%.so,$(wildcard tests/preload/*.c))
$(PRELOAD): build/tests/%.so: tests/preload/%.c | build/setup.build
	@mkdir -p $(@D)
	$(Q)$(MPICC) $(CPPFLAGS) -std=c11 -O2 -g $(WARN) -fPIC -shared -o $@ $<

DOZING = -x LD_PRELOAD='$(CURDIR)/build/tests/doze.so'

# pml ob1: no search for networks, which takes longer than all else at the start.
MPIRUN = mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 --mca pml ob1 \
         $(if $(filter 0,$(shell id -u)),--allow-run-as-root)

check: structure unit $(SCRIPTS:=.ok)
	@echo "every test passed"

# What the tests need before the first one, so that several kinds of them can run side by side.
ready: all $(PRELOAD) | build/setup.check build/setup.slurm

# All of them, whatever the first one finds.
structure: $(BUILD)/library.a $(patsubst %.c,$(BUILD)/%.o,$(wildcard stages/*.c)) | build/setup.check
	$(Q)status=0; \
	for check in layers names structs keys mentions format; do \
	    $(PYTHON) -B tests/structure/$$check.py . $(BUILD) || status=1; done; \
	CC='$(CC)' $(PYTHON) -B tests/structure/seen_failing.py || status=1; exit $$status

unit: $(UNIT:=.ok) $(VARIED:=.ok) $(RANKED:=.ok)

# ThreadSanitizer does not know how OpenMP's threads wait for each other, so these have workers
# (base/worker.h) and no parallel regions.
threads: $(patsubst %,$(BUILD)/tests/%.ok,unit/test_worker ranked/test_spool ranked/test_spill \
                                          ranked/test_activations ranked/test_reorder)

# What a test reads, it names: files, and folders with all that is in them.  A test in a script names
# in lib.sh what all scripts read.
data_of = $(shell cat $1 | grep -oE '\b(tests|jobs)/[A-Za-z0-9_./-]+' | sort -u | \
                  while read -r path; do [ ! -e "$$path" ] || find "$${path%/}" -type f; done)

# Seconds after which a test counts as hanging: more than the slowest takes on a machine that has much
# else to do.
LIMIT = 3600

.SECONDEXPANSION:

$(UNIT:=.ok): $(BUILD)/%.ok: $(BUILD)/% $$(call data_of,$$*.c)
	$(Q)OMP_WAIT_POLICY=passive timeout $(LIMIT) $<
	@touch $@

$(VARIED:=.ok): %.ok: %
	$(Q)OMP_WAIT_POLICY=passive timeout $(LIMIT) $<
	@touch $@

# A ranked test must pass alone, on two ranks, and on three: three divides nothing evenly.  Their
# threads may be more than the cores, so those that wait for others must sleep.
# The sanitizers look at memory, and see on two ranks what there is to see on any number of them.
COUNTS = $(if $(SANITIZE),2,1 2 3)
$(BUILD)/tests/ranked/test_reorder.ok: COUNTS = $(if $(SANITIZE),2,1 2 3 4 5)
$(RANKED:=.ok): $(BUILD)/%.ok: $(BUILD)/% $(PRELOAD) $$(call data_of,$$*.c)
	$(Q)export OMP_WAIT_POLICY=passive; \
	for n in $(COUNTS); do timeout $(LIMIT) $(MPIRUN) $(DOZING) -n $$n $< || exit 1; done
	@touch $@

$(SCRIPTS:=.ok): build/%.ok: %.sh tests/lib.sh LICENSE $(PROGRAMS) $(PLUGIN) $(PRELOAD) \
                             $$(call data_of,$$*.sh tests/lib.sh)
	@mkdir -p $(@D)
	$(Q)PYTHON='$(PYTHON)' MPIRUN='$(MPIRUN)' timeout $(LIMIT) sh $<
	@touch $@

$(patsubst %,%.o,$(UNIT) $(RANKED)) $(SCRIPTS:=.ok): | build/setup.check

# --- the campaign -------------------------------------------------------------------

# POINTS of each attack; the whole campaign has 1000.  Links between hosts need root.
POINTS = 1000
faults: all $(PRELOAD) | build/setup.check build/setup.slurm
	$(Q)[ "$$(id -u)" != 0 ] || PYTHON='$(PYTHON)' MPIRUN='$(MPIRUN)' sh tests/slurm/links.sh
	$(Q)HDF5_PLUGIN_PATH=lib MPIRUN='$(MPIRUN)' OMP_NUM_THREADS=1 \
	$(PYTHON) -B tests/faults/campaign.py all $(POINTS) build/faults

# The rooms whose files read foreign bytes are compiled by clang for libFuzzer, and the program takes
# the rest from the library.
CLANG      = clang-14
FUZZ_FLAGS = -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=vptr -fno-omit-frame-pointer
FUZZ_ROOMS = base corpus lm release sae shard suite
FUZZED    := $(patsubst %,$(BUILD)/fuzz/%.o,$(basename $(foreach room,$(FUZZ_ROOMS),\
             $(wildcard pipeline/$(room)/*.c pipeline/$(room)/*.cc))) tests/fuzz/parsers)

$(BUILD)/fuzz/%.o: %.c | build/setup.fuzz
	@mkdir -p $(@D)
	$(Q)OMPI_CC=$(CLANG) mpicc $(CPPFLAGS) -DCOMMIT='""' $(HDF5_CFLAGS) $(BLAS_CFLAGS) -std=c11 \
	    $(FUZZ_FLAGS) -Wno-unknown-pragmas \
	    -idirafter $(dir $(shell $(CC) -print-file-name=include/omp.h)) -c -o $@ $<

$(BUILD)/fuzz/%.o: %.cc | build/setup.fuzz
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) -std=c++17 $(FUZZ_FLAGS) -c -o $@ $<

$(BUILD)/fuzz/parsers: $(FUZZED) $(BUILD)/library.a
	$(Q)OMPI_CC=$(CLANG) mpicc -fsanitize=fuzzer,address,undefined -o $@ $^ $(LDLIBS) -lgomp

EXECUTIONS = 10000
fuzz: all $(BUILD)/fuzz/parsers | build/setup.check
	$(Q)HDF5_PLUGIN_PATH=lib $(PYTHON) -B tests/fuzz/fuzz.py $(BUILD)/fuzz/parsers $(EXECUTIONS) \
	    build/fuzz/runs $(PARSERS)

check-slurm: all $(PRELOAD) | build/setup.check build/setup.slurm
	$(Q)PYTHON='$(PYTHON)' MPIRUN='$(MPIRUN)' timeout --foreground $(LIMIT) sh tests/slurm/check.sh
	$(Q)PYTHON='$(PYTHON)' MPIRUN='$(MPIRUN)' timeout --foreground $(LIMIT) sh tests/slurm/sites.sh
	$(Q)PYTHON='$(PYTHON)' MPIRUN='$(MPIRUN)' timeout --foreground $(LIMIT) sh tests/slurm/links.sh
	$(Q)PYTHON='$(PYTHON)' MPIRUN='$(MPIRUN)' timeout --foreground $(LIMIT) sh tests/slurm/demo.sh

check-demo: all $(PRELOAD) $(DEMO_TEXT) | build/setup.check
	$(Q)PYTHON='$(PYTHON)' MPIRUN='$(MPIRUN)' timeout --foreground $(LIMIT) sh tests/readme_scores.sh

check-reorder: $(BUILD)/tests/ranked/test_reorder
	$(Q)for n in 1 2 3 4 5; do $(MPIRUN) -n $$n $< every || exit 1; done

# --- benchmarks ---------------------------------------------------------------------

# 1.2 GB of rows in 16 shards, 9.4 times the memory of the two ranks.
bench-shuffle: $(BUILD)/tests/bench/bench_shuffle
	$(Q)OMP_NUM_THREADS=1 $(MPIRUN) -n 2 $< build/bench_shuffle.run 262144 64000000

# Timed on one rank, while the other seven sleep; they only help to count bytes.
bench-train: $(BUILD)/tests/bench/bench_train $(PRELOAD)
	$(Q)OMP_NUM_THREADS=$$(nproc) $(MPIRUN) $(DOZING) -n 8 $< build/bench_train.run

compare-shuffles: all $(DEMO_TEXT)
	$(Q)PYTHON='$(PYTHON)' tests/bench/compare_shuffles.sh

compare-precision: all $(DEMO_TEXT)
	$(Q)PYTHON='$(PYTHON)' MPIRUN='$(MPIRUN)' sh tests/bench/compare_precision.sh

# On one rank.
bench-planted: $(BUILD)/tests/bench/bench_planted
	$(Q)OMP_NUM_THREADS=$$(nproc) $<

bench-circuit: $(BUILD)/tests/bench/bench_circuit | build/setup.check
	$(Q)PYTHON='$(PYTHON)' OMP_NUM_THREADS=$$(nproc) $<

bench-generate: $(BUILD)/tests/bench/bench_generate
	$(Q)OMP_NUM_THREADS=$$(nproc) $<

compare-plan: all $(DEMO_TEXT)
	$(Q)$(PYTHON) tests/bench/compare_plan.py jobs/demo.yaml

# The stage itself on two layers of Gemma 2 2B, or SHAPE=llama or qwen, beside the machine's own
# matrix products.
bench-harvest: all $(BUILD)/tests/bench/bench_gemm | build/setup.check
	$(Q)PYTHON='$(PYTHON)' MPIRUN='$(MPIRUN)' RANKS=$(or $(RANKS),1) SHAPE='$(SHAPE)' \
	    sh tests/bench/harvest.sh

bench-harvest-full: all | build/setup.check
	$(Q)PYTHON='$(PYTHON)' MPIRUN='$(MPIRUN)' RANKS=$(or $(RANKS),2) sh tests/bench/harvest_full.sh

# --- for those who write on it ------------------------------------------------------

format: | build/setup.check
	$(Q)$(PYTHON) -B tests/structure/format.py . --write

# $(call entry,FILE,COMPILER AND FLAGS)
entry = { "directory": "$(CURDIR)", "file": "$1", \
          "arguments": [ $(foreach word,$(filter-out -MMD -MP,$2),"$(word)",) \
          $(if $(filter %/version.c,$1),"-DCOMMIT=\"\""$(,)) "-c", "$1" ] }$(,)

compile_commands.json: Makefile $(wildcard pipeline/*/*.c pipeline/*/*.cc stages/*.c tests/*/*.c) \
                     | build/setup.build
	$(eval kernel := $(CC) $(CPPFLAGS) $(BLAS_CFLAGS) $(CFLAGS) $(FAST))
	$(eval other := $(CC) $(shell $(MPICC) --showme:compile) \
	                $(CPPFLAGS) $(HDF5_CFLAGS) $(BLAS_CFLAGS) $(CFLAGS))
	$(eval shim := $(CXX) $(CPPFLAGS) $(CXXFLAGS))
	$(file > $@,[)
	$(foreach file,$(filter %.c %.cc,$^),$(file >> $@,$(call entry,$(file),$(strip \
	    $(if $(filter %.cc,$(file)),$(shim),$(if $(filter pipeline/kernels/%,$(file)),$(kernel),$(other)))))))
	@sed -i '$$s/,$$/ ]/' $@

clean:
	rm -rf build bin lib compile_commands.json

.PHONY: all ready unit structure format check check-demo check-reorder check-slurm demo demo-work faults fuzz threads bench-harvest bench-harvest-full bench-shuffle bench-circuit bench-generate bench-train bench-planted compare-shuffles compare-precision compare-plan clean
.SECONDARY:

-include $(shell find build -name '*.d' 2>/dev/null)
