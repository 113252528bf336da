# make match     sets the machine up, builds, and matches the sounds of examples/samples,
#                2 seconds each (or WAV=path, 5 seconds; BUDGET=60s), into .build/match
# make test      sets up, builds, runs every spec, the examples and the embedding host
# make           builds only; make install, lint, format, bench, bench-torch, soak, models,
#                rom, clean: as they say; what puts the module to the test is in spec/checks.mk

LUA = lua5.4
BUSTED = $(firstword $(wildcard /usr/bin/busted) $(shell command -v busted))
SAMPLES = examples/samples
MATCHES = .build/match
PREFIX = /usr/local
LUADIR = $(PREFIX)/share/lua/5.4
LIBDIR = $(PREFIX)/lib/lua/5.4
BINDIR = $(PREFIX)/bin

# Debian's names for what is needed to build and run, to test, to lint and to compare.
BUILD_PACKAGES = gcc libc6-dev pkg-config lua5.4 liblua5.4-dev libsndfile1-dev \
  libsamplerate0-dev libfftw3-dev libopenblas-openmp-dev zlib1g-dev lua-argparse \
  lua-cjson lua-filesystem
TEST_PACKAGES = lua-busted binutils libjack-jackd2-dev jackd2 openmpi-bin libopenmpi-dev \
  gringo
LINT_PACKAGES = lua-check clang-format cppcheck
BENCH_PACKAGES = libgme-dev
ROM_PACKAGES = binutils-m68k-linux-gnu
TORCH_PACKAGES = python3-torch python3-sklearn python3-scipy

CFLAGS = -O2 -g
STRICT = -std=c11 -D_POSIX_C_SOURCE=200809L -fPIC -fvisibility=hidden \
  -Wall -Wextra -pedantic -Wshadow -Wconversion -Wno-sign-conversion \
  -Wdouble-promotion -Wundef -Wwrite-strings -Wcast-qual -Wpointer-arith \
  -Wmissing-prototypes -Wstrict-prototypes -Wvla
# The OpenMP build of OpenBLAS, where Debian keeps it: it starts no thread unless asked,
# and unlike the serial build it may be called from several threads at once (arithmetic.h).
# Otherwise the plain one.
BLAS_PATH := /usr/lib/$(shell $(CC) -print-multiarch 2>/dev/null)/openblas-openmp
BLAS = PKG_CONFIG_PATH="$(BLAS_PATH)/pkgconfig:$$PKG_CONFIG_PATH" pkg-config
LUA_FLAGS = $(or $(LUA_INCDIR:%=-I%),$(shell pkg-config --cflags lua5.4 2>/dev/null))
CORE_FLAGS := $(shell pkg-config --cflags sndfile samplerate fftw3f zlib 2>/dev/null) \
  $(shell $(BLAS) --cflags openblas 2>/dev/null)
# nodelete: FFTW keeps its planner and its lock for the process, so a closed Lua state must
# not unload it.
CORE_LIBS := $(shell pkg-config --libs sndfile samplerate fftw3f zlib 2>/dev/null) \
  -lfftw3f_threads $(shell $(BLAS) --libs openblas 2>/dev/null) \
  -Wl,-rpath,$(shell $(BLAS) --variable=libdir openblas 2>/dev/null) -lgomp -lpthread -lm \
  -Wl,-z,nodelete

SOURCES = $(wildcard src/*.c)
OBJECTS = $(SOURCES:src/%.c=.build/%.o)
COMPILE = $(CC) $(STRICT) -Isrc $(CORE_FLAGS) $(LUA_FLAGS) -MMD -MP -c -o $@ $<
# Lets any Lua program find this checkout before an installed copy.
HERE = LUA_PATH="./lua/?.lua;./lua/?/init.lua;;" LUA_CPATH="./lua/?.so;;"
YM2612ML = $(LUA) lua/ym2612ml/cli.lua
# Debian's, which is the one that has Debian's packages.
PYTHON = /usr/bin/python3
M68K = m68k-linux-gnu-
AGAIN = @$(MAKE) --no-print-directory

# The live instrument is a module of its own, built where JACK is. It shares some sources.
# nodelete: libjack keeps for the process whom to tell of errors.
LIVE_LIBS := $(shell pkg-config --libs jack 2>/dev/null)
LIVE_FLAGS := $(shell pkg-config --cflags jack 2>/dev/null)
LIVE = $(if $(LIVE_LIBS),ym2612ml/live/core.so)
LIVE_SHARED = ym tensor convert pool simd slot opn2 patch voice lua_ym lua_failure lua_tensor
LIVE_OBJECTS = $(patsubst src/%.c,.build/%.o,$(wildcard src/live/*.c)) \
  $(LIVE_SHARED:%=.build/%.o)
.build/live/%.o .build/asan/live/%.o .build/tsan/live/%.o: KERNEL = $(LIVE_FLAGS)

build: lua/ym2612ml/core.so $(LIVE:%=lua/%)

lua/ym2612ml/core.so: $(OBJECTS)
	@echo "link $@"
	@$(CC) $(CFLAGS) -shared -o $@ $^ $(CORE_LIBS)

# ym2612ml.mpi, where Open MPI is there: the mpicc of others does not know this option.
# nodelete: MPI starts once a process, and stays.
MPI_INCLUDES := $(shell mpicc --showme:incdirs 2>/dev/null)
MPI = $(if $(MPI_INCLUDES),ym2612ml/mpi/core.so)
MPI_OBJECTS = $(patsubst src/%.c,.build/%.o,$(wildcard src/mpi/*.c)) \
  .build/lua_failure.o .build/tensor.o .build/convert.o .build/ym.o
build: $(MPI:%=lua/%)

.build/mpi/%.o: KERNEL = $(addprefix -isystem ,$(MPI_INCLUDES))

lua/ym2612ml/mpi/core.so: $(MPI_OBJECTS)
	@mkdir -p $(@D)
	@echo "link $@"
	@mpicc $(CFLAGS) -shared -o $@ $^ -Wl,-z,nodelete

lua/ym2612ml/live/core.so: $(LIVE_OBJECTS)
	@mkdir -p $(@D)
	@echo "link $@"
	@$(CC) $(CFLAGS) -shared -o $@ $^ $(LIVE_LIBS) -lpthread -lm -Wl,-z,nodelete

# The renderer of single patches is one long loop that pays for more unrolling, and the
# operators of networks are many short ones that pay for vectors. These flags let loops
# with choices and roots become vectors, and change no result.
.build/voice.o: KERNEL = -O3
.build/optim.o .build/convert.o .build/neighbours.o .build/instrument.o $(patsubst src/%.c,.build/%.o,$(wildcard src/op_*.c)): \
  KERNEL = -O3 -fno-trapping-math -fno-math-errno

# Kernels for one level of a CPU's instructions (simd.h), chosen at run time.
UNITS = $(patsubst src/%.c,.build/%.o,$(wildcard src/*_$(1).c)) \
  $(patsubst src/%.c,.build/asan/%.o,$(wildcard src/*_$(1).c)) \
  $(patsubst src/%.c,.build/tsan/%.o,$(wildcard src/*_$(1).c))
WRAPPING = -O3 -fwrapv -fno-trapping-math -ffp-contract=fast
$(call UNITS,baseline): LEVEL = $(WRAPPING) -Wno-psabi
ifneq ($(filter x86_64%,$(shell $(CC) -dumpmachine)),)
$(call UNITS,avx2): LEVEL = $(WRAPPING) -mavx2 -mfma -mf16c
$(call UNITS,avx512): LEVEL = $(WRAPPING) -mavx2 -mfma -mf16c -mavx512f -mavx512bw \
  -mavx512dq -mavx512vl -mprefer-vector-width=512
endif

.build/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	@echo "compile $<"
	@$(COMPILE) $(CFLAGS) $(KERNEL) $(LEVEL)

# A host needs Lua to be built, and here a resampler and files, but nothing of the module.
HOST_OBJECTS = $(patsubst examples/%.c,.build/%.o,$(wildcard examples/embed/*.c))
.build/host: $(HOST_OBJECTS)
	@echo "link $@"
	@$(CC) $(CFLAGS) -o $@ $^ \
	  $(shell pkg-config --libs lua5.4 sndfile samplerate 2>/dev/null) -lpthread

.build/embed/%.o: examples/embed/%.c Makefile
	@mkdir -p $(@D)
	@echo "compile $<"
	@$(COMPILE) -D_DEFAULT_SOURCE $(CFLAGS)

# What the specs of the live instrument play it with, and watch it by.
LIVE_TOOLS = $(if $(LIVE),.build/live/player .build/live/watch.so)

.build/live/player: spec/live/player.c Makefile
	@mkdir -p $(@D)
	@echo "compile $<"
	@$(CC) $(STRICT) -D_DEFAULT_SOURCE $(CFLAGS) $(LIVE_FLAGS) -o $@ $< $(LIVE_LIBS)

.build/live/watch.so: spec/live/watch.c Makefile
	@mkdir -p $(@D)
	@echo "compile $<"
	@$(CC) $(STRICT) -fvisibility=default $(CFLAGS) $(LIVE_FLAGS) -shared -o $@ $< \
	  -Wl,--no-as-needed $(LIVE_LIBS) -ldl -lpthread

# Installs with apt what dpkg does not know as installed, and says so.
define set_up
@missing=; if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then \
  for package in $(1); do \
    dpkg-query -W -f '$${db:Status-Status}\n' $$package 2>/dev/null | \
      grep -qx installed || missing="$$missing $$package"; done; \
else \
  echo "set-up: no apt here, so nothing is installed. Needed, by Debian's names:"; \
  echo "  $(1)"; fi; \
if [ -n "$$missing" ]; then \
  if [ "$$(id -u)" = 0 ]; then root=; else root="sudo"; fi; \
  if [ -n "$$root" ] && ! command -v sudo >/dev/null; then \
    echo "set-up: packages are missing; as root: apt-get install$$missing" >&2; exit 1; \
  fi; \
  mkdir -p .build; echo "set-up: apt-get install$$missing"; \
  { $$root apt-get -q update; \
    $$root env DEBIAN_FRONTEND=noninteractive apt-get -qy -o Dpkg::Use-Pty=0 \
      install --no-install-recommends$$missing; } >.build/set-up.log 2>&1 </dev/null || \
    { tail -n 20 .build/set-up.log >&2; echo "set-up: apt-get failed" >&2; exit 1; }; \
fi
endef

set-up:
	$(call set_up,$(BUILD_PACKAGES))

# What follows set-up is a new make, so that pkg-config is asked after it.
match: set-up
	$(AGAIN) -j "$$(nproc)" build
	@mkdir -p "$(MATCHES)"
	$(YM2612ML) match --again --budget $(or $(BUDGET),$(if $(WAV),default,2s)) -o "$(MATCHES)" \
	  "$(or $(WAV),$(SAMPLES))"

test: set-up
	$(call set_up,$(TEST_PACKAGES))
	$(AGAIN) -j "$$(nproc)" build
	$(AGAIN) specs
	$(AGAIN) examples
	$(AGAIN) embed

include spec/checks.mk

specs: build .build/host $(FAULT_TOOLS) $(LIVE_TOOLS)
	$(LUA) $(BUSTED)

examples: build
	@set -e; for script in examples/[0-9]*.lua; do \
	  echo "$$script"; $(HERE) $(LUA) "$$script" >.build/example.log || \
	    { cat .build/example.log; echo "$$script failed" >&2; exit 1; }; \
	done

# The tracker in small for a few seconds, or SECONDS=600, with RECORD=file.wav, and so many
# blocks ahead, AHEAD=8.
embed: build .build/host
	$(HERE) .build/host -s $(or $(SECONDS),3) $(AHEAD:%=-b %) $(RECORD:%=-w "%") $(SAMPLES)/*.flac

FORMATTED = src/*.[ch] src/live/*.[ch] src/mpi/*.[ch] examples/embed/*.[ch] spec/bench/*.c spec/live/*.c \
  spec/faults/*.c spec/fuzz/*.c

lint:
	$(call set_up,$(LINT_PACKAGES))
	@status=0; \
	env -u LUA_PATH -u LUA_CPATH luacheck -q . || status=1; \
	clang-format --dry-run -Werror $(FORMATTED) || status=1; \
	cppcheck -q --std=c11 --error-exitcode=1 --inline-suppr -Isrc \
	  --enable=warning,performance,portability --suppress=missingIncludeSystem src || status=1; \
	exit $$status

format:
	$(call set_up,$(LINT_PACKAGES))
	clang-format -i $(FORMATTED)

# The libgme that Debian ships is the reference of the speed of rendering. What is fast
# must also be right: 10,000 random patches are compared with the six-channel chip.
bench: set-up
	$(call set_up,$(BENCH_PACKAGES))
	$(AGAIN) build .build/libgme
	$(HERE) $(LUA) spec/bench.lua .build/libgme
	$(HERE) $(LUA) spec/fuzz/render.lua 10000

.build/libgme: spec/bench/libgme.c
	@mkdir -p .build
	@echo "compile $<"
	@$(CC) $(CFLAGS) -o $@ $< -lgme

# Networks, spectra and principal components against PyTorch, SciPy and scikit-learn:
# first that they give the same, then how fast. QUICK=1 for a rough look, ONLY=mlp for
# the tasks of that name.
bench-torch: set-up
	$(call set_up,$(TORCH_PACKAGES))
	$(AGAIN) build
	LUA="$(LUA)" $(PYTHON) spec/bench/parity.py
	LUA="$(LUA)" $(PYTHON) spec/bench/versus.py $(if $(QUICK),--quick) $(ONLY:%=--only %)

# The live instrument on a JACK server for ten minutes, or SECONDS=60.
soak: build $(LIVE_TOOLS)
	$(LUA) spec/live/soak.lua $(SECONDS)

# From the shipped statistics of real patches, or from PATCHES=folder or table; the space of
# patches from these alone.
models: build
	$(YM2612ML) train -o models --work .build/models \
	  $(if $(PATCHES),--patches "$(PATCHES)")
	$(if $(PATCHES),$(YM2612ML) experiment --patches "$(PATCHES)" -o models/space.safetensors \
	  --work .build/models/space.state)

# The cartridge's program. Its assembled bytes are in the tree, so only who changes it needs
# the assembler.
.build/rom/player.lua: src/rom/player.s Makefile
	@mkdir -p $(@D)
	@echo "assemble $<"
	@$(M68K)as -m68000 -o .build/rom/player.o $<
	@$(M68K)ld -Ttext 0 -e 0x200 -o .build/rom/player.elf .build/rom/player.o
	@$(M68K)objcopy -O binary -j .text .build/rom/player.elf .build/rom/player.bin
	@{ echo '-- The bytes of src/rom/player.s: `make rom` writes this file.'; \
	  echo 'local HEX = [['; \
	  od -An -v -tx1 -w32 .build/rom/player.bin | tr -d ' '; \
	  echo ']]'; \
	  echo 'return (HEX:gsub("%s", ""):gsub("..", function(pair) return string.char(tonumber(pair, 16)) end))'; \
	} >$@

rom:
	$(call set_up,$(ROM_PACKAGES))
	$(AGAIN) .build/rom/player.lua
	cp .build/rom/player.lua lua/ym2612ml/rom/player.lua

install: build
	install -d "$(DESTDIR)$(LIBDIR)/ym2612ml" "$(DESTDIR)$(BINDIR)"
	install -m 755 lua/ym2612ml/core.so "$(DESTDIR)$(LIBDIR)/ym2612ml/core.so"
	$(if $(LIVE),install -D -m 755 lua/$(LIVE) "$(DESTDIR)$(LIBDIR)/$(LIVE)")
	$(if $(MPI),install -D -m 755 lua/$(MPI) "$(DESTDIR)$(LIBDIR)/$(MPI)")
	cd lua && find ym2612ml -name '*.lua' -exec \
	  install -D -m 644 {} "$(DESTDIR)$(LUADIR)/{}" \;
	install -d "$(DESTDIR)$(LUADIR)/ym2612ml/models" "$(DESTDIR)$(LUADIR)/ym2612ml/types"
	install -m 644 lua/types/ym2612ml.lua "$(DESTDIR)$(LUADIR)/ym2612ml/types"
	install -m 644 models/* "$(DESTDIR)$(LUADIR)/ym2612ml/models"
	install -m 755 lua/ym2612ml/cli.lua "$(DESTDIR)$(BINDIR)/ym2612ml"

clean:
	rm -rf .build lua/ym2612ml/core.so lua/ym2612ml/live/core.so lua/ym2612ml/mpi/core.so

-include $(wildcard .build/*.d .build/*/*.d .build/asan/live/*.d .build/tsan/live/*.d)
.PHONY: build set-up match test specs examples embed lint format bench bench-torch soak \
  models rom install clean
