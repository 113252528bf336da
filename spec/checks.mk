# What puts the module to the test beyond its specs:
#
#   make asan, tsan, valgrind   specs and hosts under tools that see wrong uses of memory
#   make stress                 ... with garbage collected all the time
#   make faults, faults-writes  every request for memory, and every write, fails once
#   make growth                 what 10,000 estimates leave of memory
#   make fuzz, fuzz-coverage    inputs made up for every reader, and what they reach
#   make hosts, load            programs of others with the module in them

FUZZ_PACKAGES = clang
VALGRIND_PACKAGES = valgrind
# Not among those to test: to install a web server starts one, where there are services.
HOST_PACKAGES = lua-busted lighttpd lighttpd-modules-lua curl wrk gringo gnuplot-nox neomutt
HOST_LIBS := $(shell pkg-config --libs lua5.4 2>/dev/null) -lpthread -lm
COMPILE_HOST = $(CC) $(STRICT) -D_DEFAULT_SOURCE $(LUA_FLAGS) -o $@ $<

# The module with sanitizers, in .build/asan and .build/tsan.
SANITIZERS_asan = address,undefined -fno-sanitize-recover=undefined
SANITIZERS_tsan = thread
WATCHED = -O1 -g -fno-omit-frame-pointer -fsanitize=$(SANITIZERS_$(1))

define sanitized
.build/$(1)/%.o: src/%.c Makefile spec/checks.mk
	@mkdir -p $$(@D)
	@echo "compile $$< for $(1)"
	@$$(COMPILE) $(WATCHED) $$(KERNEL) $$(LEVEL)

.build/$(1)/ym2612ml/core.so: $(SOURCES:src/%.c=.build/$(1)/%.o)
	@mkdir -p $$(@D)
	@echo "link $$@"
	@$$(CC) $(WATCHED) -shared -o $$@ $$^ $$(CORE_LIBS)

.build/$(1)/ym2612ml/live/core.so: $(LIVE_OBJECTS:.build/%=.build/$(1)/%)
	@mkdir -p $$(@D)
	@echo "link $$@"
	@$$(CC) $(WATCHED) -shared -o $$@ $$^ $$(LIVE_LIBS) -lpthread -lm -Wl,-z,nodelete
endef
$(eval $(call sanitized,asan))
$(eval $(call sanitized,tsan))

ASAN = .build/asan/ym2612ml/core.so $(LIVE:%=.build/asan/%)
WITH_ASAN = LD_PRELOAD="$$($(CC) -print-file-name=libasan.so)"

# Hosts that do to the module what hosts do: see their first lines. The one that lets writes
# fail asks the kernel of Linux for that.
FAULT_TOOLS = .build/faults/allocations .build/faults/threads .build/faults/manners \
  $(if $(wildcard /proc/self/fdinfo),.build/faults/writes)

.build/faults/%: spec/faults/%.c Makefile spec/checks.mk
	@mkdir -p $(@D)
	@echo "compile $<"
	@$(COMPILE_HOST) $(CFLAGS) $(HOST_LIBS)

# The host whose memory fails stands below the sanitizers, and is no code for them. With the
# checked module it is linked with their libraries.
.build/faults/allocations.o: spec/faults/allocations.c Makefile spec/checks.mk
	@mkdir -p $(@D)
	@echo "compile $<"
	@$(COMPILE_HOST) -c -fvisibility=default -fno-builtin $(CFLAGS)

.build/faults/allocations: .build/faults/allocations.o
	@$(CC) $(CFLAGS) -o $@ $< $(HOST_LIBS) -rdynamic -ldl

.build/asan/allocations: .build/faults/allocations.o
	@mkdir -p $(@D)
	@$(CC) $(call WATCHED,asan) -o $@ $< $(HOST_LIBS) -rdynamic -ldl

.build/tsan/threads: spec/faults/threads.c Makefile spec/checks.mk
	@mkdir -p $(@D)
	@echo "compile $< for tsan"
	@$(COMPILE_HOST) $(call WATCHED,tsan) $(HOST_LIBS)

# The specs tagged c against a core with the address and undefined-behaviour sanitizers.
# src/mpi is not among it: only processes that mpirun starts work with it, and those find the
# core without.
asan: set-up
	$(call set_up,$(TEST_PACKAGES))
	$(AGAIN) -j "$$(nproc)" build $(ASAN)
	$(WITH_ASAN) $(LUA) $(BUSTED) --cpath="./.build/asan/?.so" --tags=c

# Eight threads at random pieces of work for SECONDS (60), then signals, watched by
# ThreadSanitizer; SEED=2 for other pieces. Without setarch its memory may lie where the
# system has put something else.
TSAN_HOST = LUA_PATH="./lua/?.lua;./lua/?/init.lua;;" LUA_CPATH="./.build/tsan/?.so;./lua/?.so;;" \
  TSAN_OPTIONS="history_size=7" setarch -R .build/tsan/threads
tsan: set-up
	$(AGAIN) -j "$$(nproc)" build .build/tsan/ym2612ml/core.so $(LIVE:%=.build/tsan/%) .build/tsan/threads
	$(TSAN_HOST) mix spec/faults/works.lua $(or $(SECONDS),60) $(or $(SEED),1)
	$(TSAN_HOST) signals spec/faults/works.lua 10

# The specs named by SPECS, those tagged c, under valgrind's memcheck.
STRESSED = spec/tensor_spec.lua spec/rng_spec.lua spec/chip_spec.lua spec/pca_spec.lua \
  spec/render_spec.lua spec/store_spec.lua
valgrind: set-up
	$(call set_up,$(TEST_PACKAGES) $(VALGRIND_PACKAGES))
	$(AGAIN) build
	valgrind -q --error-exitcode=9 $(LUA) $(BUSTED) --tags=c $(or $(SPECS),$(STRESSED))

# Pieces of work with a collection of garbage at every new object, then the specs named by
# SPECS, those tagged c, with one at every RATE-th, and with the address sanitizer, which sees
# what was not held.
RATE = 1000
COLLECT = $(WITH_ASAN) ASAN_OPTIONS=detect_leaks=0 LUA_CPATH="./.build/asan/?.so;./lua/?.so;;" .build/faults/collect
stress: set-up
	$(call set_up,$(TEST_PACKAGES))
	$(AGAIN) -j "$$(nproc)" build $(ASAN) .build/faults/collect
	$(COLLECT) 1000000 spec/faults/collected.lua
	@echo "one collection every $(RATE) objects: $(or $(SPECS),$(STRESSED))"
	$(COLLECT) $(RATE) $(BUSTED) --cpath="./.build/asan/?.so" --tags=c $(or $(SPECS),$(STRESSED))

# Every request for memory fails once, in each part of a session; POINTS=100 for so many of a
# part, SECTION=pca for one part. All of them take about twenty minutes, and hours with the
# sanitizers, for which POINTS=100 is enough.
faults: build $(ASAN) .build/faults/allocations .build/asan/allocations
	.build/faults/allocations spec/faults/allocations.lua "$(POINTS)" $(SECTION)
	YM_CPATH="./.build/asan/?.so" .build/asan/allocations spec/faults/allocations.lua \
	  "$(POINTS)" $(SECTION)

# Every write of the commands fails once, in each way: an hour and more. ONLY=dataset for
# the command of that name, EVERY=10 for every tenth of its writes.
faults-writes: build .build/faults/writes
	$(HERE) $(LUA) spec/faults/writes.lua "$(or $(ONLY),all)" $(EVERY)

# The memory after 10,000 estimates against that after 100: ten minutes.
growth: build
	$(HERE) $(LUA) spec/faults/growth.lua

# Programs that others wrote, with the module in them. Where they are there, `make test`
# tries them too.
host-programs:
	$(call set_up,$(HOST_PACKAGES))

hosts: set-up host-programs
	$(AGAIN) build
	$(LUA) $(BUSTED) spec/hosts_spec.lua

# One of them, a web server, under load for two minutes, or SECONDS=600.
load: set-up host-programs
	$(AGAIN) build
	$(LUA) spec/hosts/load.lua $(SECONDS)

# The readers of files under libFuzzer: RUNS inputs each, of at most SECONDS, or ONLY=reader.
# REAL=folder of patch files to begin with, too. The renderer against the chip comes last.
RUNS = 1000000
FUZZED = audio convert gzip lua_audio lua_chip lua_failure lua_gzip lua_patch lua_store \
  lua_streams lua_tensor lua_ym opn2 patch replace sha256 slot store streams tensor ym
FUZZ_OBJECTS = $(FUZZED:%=.build/fuzz/%.o) $(filter-out $(FUZZED:%=.build/%.o),$(OBJECTS))
FUZZ_SANITIZE = -O2 -g -fno-omit-frame-pointer -fno-sanitize-recover=undefined

# The chip compares much, and nothing of it with what is in a file.
.build/fuzz/opn2.o .build/fuzz/slot.o: UNTRACED = -fno-sanitize-coverage=trace-cmp

.build/fuzz/%.o: src/%.c Makefile spec/checks.mk
	@mkdir -p $(@D)
	@echo "compile $< for fuzzing"
	@clang $(STRICT) $(FUZZ_SANITIZE) -fsanitize=fuzzer-no-link,address,undefined $(UNTRACED) -Isrc \
	  $(CORE_FLAGS) $(LUA_FLAGS) -MMD -MP -c -o $@ $<

.build/fuzz/readers: spec/fuzz/fuzz.c $(FUZZ_OBJECTS)
	@echo "link $@"
	@clang -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra $(FUZZ_SANITIZE) \
	  -fsanitize=fuzzer,address,undefined $(LUA_FLAGS) -o $@ $^ $(HOST_LIBS) $(CORE_LIBS)

fuzz: set-up
	$(call set_up,$(FUZZ_PACKAGES))
	$(AGAIN) build .build/fuzz/readers
	$(HERE) RUNS="$(RUNS)" SECONDS="$(SECONDS)" REAL="$(REAL)" $(LUA) spec/fuzz/run.lua $(ONLY)
	$(HERE) $(LUA) spec/fuzz/render.lua

# Which lines of each reader are run by the corpus and by what the last `make fuzz` kept.
COVERED = audio gzip store streams
COVERED_OBJECTS = $(COVERED:%=.build/fuzz/coverage/%.o)

$(COVERED_OBJECTS): .build/fuzz/coverage/%.o: src/%.c Makefile spec/checks.mk
	@mkdir -p $(@D)
	@echo "compile $< to count its lines"
	@$(COMPILE) -O0 -g --coverage

.build/fuzz/coverage/ym2612ml/core.so: $(COVERED_OBJECTS) $(OBJECTS)
	@mkdir -p $(@D)
	@echo "link $@"
	@$(CC) --coverage -shared -o $@ $(COVERED_OBJECTS) \
	  $(filter-out $(COVERED:%=.build/%.o),$(OBJECTS)) $(CORE_LIBS)

fuzz-coverage: build .build/fuzz/coverage/ym2612ml/core.so
	@rm -f .build/fuzz/coverage/*.gcda
	$(HERE) $(LUA) spec/fuzz/coverage.lua
	@for source in $(COVERED); do \
	  gcov -n -f -o .build/fuzz/coverage/$$source.o src/$$source.c | grep -A1 '^Function' | \
	    grep -v '^--' | paste -d ' ' - -; \
	  gcov -t -o .build/fuzz/coverage/$$source.o src/$$source.c | grep '#####' || true; \
	done

.PHONY: asan tsan valgrind stress faults faults-writes growth host-programs hosts load fuzz fuzz-coverage
