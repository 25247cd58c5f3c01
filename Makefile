# make [FLAVOUR=release|debug|asan|tsan|fuzz] [V=1] [WERROR=1] [DESTDIR=..] [PREFIX=..]
#
# all      the two programs                  check    unit tests and the architecture checks
# test     check + scenarios (prove)         crash    the kill storms
# fuzz     build the fuzzers                 bench    the benchmarks [S="fanout idle"] [R=repetitions] [J=1: JSON]
# bench-report  docs/PERFORMANCE.md [R=repetitions]; bench-smoke: what a message costs, counted; bench-soak  is memory flat? [MINUTES=30]
# netns    hosts in network namespaces; containers: the same in containers (docs/TESTING.md)
# sim      the simulator [SEEDS=n | SEED=n TRACE=1] [HOSTS=n] [JOBS=n]; mutants: what it finds (docs/TESTING.md)
# sim-scale  what 3 to 1,000 hosts and a cut of an hour cost [SIZES="3 1000"] (docs/LINK.md)
FLAVOUR ?= release
PREFIX  ?= /usr/local
B       ?= build/$(FLAVOUR)
LIBS.relay := openssl sqlite3 inih
LIBS.chat  := libcrypto readline jansson libutf8proc
LIBS.tests := cmocka

# ---- what is built: one line per program, one wildcard per folder ---------
common  := $(wildcard common/*/*.c)
relay   := $(wildcard relay/*/*.c)
chat    := $(filter-out chat/main.c,$(wildcard chat/*.c))
testlib := $(wildcard tests/lib/*.c)
unit    := $(wildcard tests/unit/test_*.c)
tools   := $(wildcard tests/tools/*.c)
bench   := $(wildcard tests/bench/bench_*.c)
benchlib := $(wildcard tests/bench/lib/*.c)
fuzzers := $(wildcard tests/fuzz/fuzz_*.c)
sim     := $(wildcard tests/sim/*.c)
# What the simulator drives: the relay's own code, all but its edges (tests/sim/sim.h).
simmed  := $(wildcard common/frame/*.c relay/link/*.c relay/rules/*.c relay/state/*.c) \
           $(filter-out relay/hub/enrol.c relay/hub/tunnel.c,$(wildcard relay/hub/*.c)) \
           common/base/text.c common/base/direct.c common/base/buffer.c common/base/key.c relay/trust/attest.c relay/trust/seal.c relay/trust/peers.c \
           relay/keep/after.c relay/keep/commit.c $(wildcard relay/keep/feed*.c) relay/keep/fold.c relay/keep/forks.c relay/keep/parked.c \
           relay/keep/prune.c relay/keep/restore.c relay/net/conn.c relay/net/keeper_line.c

# Modules that do no I/O: they may import memory and string functions and each other, no more.
pure    := $(wildcard common/frame/*.c relay/link/*.c) common/base/text.c common/base/direct.c relay/rules/room_state.c \
           relay/state/journal.c relay/state/members.c relay/state/roster.c relay/state/scope.c relay/state/sessions.c relay/state/undo.c

# ---- how ------------------------------------------------------------------
PKG_CONFIG ?= pkg-config
CPPFLAGS += -D_GNU_SOURCE $(shell $(PKG_CONFIG) --cflags $(LIBS.relay) $(LIBS.chat))
libs = $(shell $(PKG_CONFIG) --libs $(foreach p,$1,$(LIBS.$p))) -lrt -pthread
CFLAGS   ?= -O2 -g
WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wold-style-definition -Wvla -Wformat=2 -Wundef -Wcast-align -Wwrite-strings \
        -Wimplicit-fallthrough -Wnull-dereference -Wswitch-enum $(if $(WERROR),-Werror)
try  = $(shell $(CC) -Werror $1 -c -x c /dev/null -o /dev/null 2>/dev/null && echo $1)
HARD := -fPIE -fstack-protector-strong -fstack-clash-protection -fno-common \
        $(call try,-fcf-protection) $(call try,-ftrivial-auto-var-init=zero)
LINKHARD := -pie -Wl,-z,relro,-z,now,-z,noexecstack

fl.release := $(HARD) -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
fl.debug   := -O0 -fno-omit-frame-pointer -DFAILPOINTS
fl.asan    := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all -DFAILPOINTS
fl.tsan    := -O1 -fno-omit-frame-pointer -fsanitize=thread $(call try,-Wno-tsan)
fl.fuzz    := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined
ld.release := $(LINKHARD)
ifeq ($(FLAVOUR),fuzz)
CC := clang
endif
ALL_CFLAGS = -std=gnu17 $(CFLAGS) $(WARN) $(fl.$(FLAVOUR)) -MMD -MP
ALL_LDFLAGS = $(LDFLAGS) $(filter -fsanitize%,$(fl.$(FLAVOUR))) $(ld.$(FLAVOUR))

# The include path is the architecture: chat/ cannot see relay/, and common/ sees neither.
inc.common := -Icommon
inc.chat   := -Icommon -Ichat
inc.relay  := -Icommon -Irelay
inc.tests  := -Icommon -Irelay -Ichat -Itests/lib
root = $(firstword $(subst /, ,$1))

# ---- rules ----------------------------------------------------------------
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $1 $@;)
obj = $(patsubst %.c,$(B)/%.o,$1)

.DEFAULT_GOAL := all
all: $(B)/bin/relay $(B)/bin/chat

# Objects depend on the flags they were built with; a changed flag rebuilds them.
$(B)/flags: FORCE
	@mkdir -p $(@D); echo '$(CC) $(CPPFLAGS) $(ALL_CFLAGS)' | cmp -s - $@ || \
	  echo '$(CC) $(CPPFLAGS) $(ALL_CFLAGS)' > $@
FORCE:

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS) $(inc.$(call root,$<)) $(ALL_CFLAGS) -c -o $@ $<

link = @mkdir -p $(@D); $(if $(V),,printf '  %-7s %s\n' LD $@;) \
       $(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o %.a,$^) $(call libs,$1)

# Tests link against archives, so that each takes only what it uses.
ar = @rm -f $@; $(AR) rcs $@ $^
$(B)/common.a: $(call obj,$(common)); $(ar)
$(B)/relay.a:  $(call obj,$(relay)); $(ar)
$(B)/chat.a:   $(call obj,$(chat)); $(ar)
$(B)/testlib.a: $(call obj,$(testlib)); $(ar)
$(B)/benchlib.a: $(call obj,$(benchlib)); $(ar)

$(B)/bin/relay: $(call obj,relay/main.c) $(B)/relay.a $(B)/common.a; $(call link,relay)
$(B)/bin/chat:  $(call obj,chat/main.c) $(B)/chat.a $(B)/common.a; $(call link,chat)
archives := $(B)/testlib.a $(B)/chat.a $(B)/relay.a $(B)/common.a
$(B)/unit/%: $(B)/tests/unit/%.o $(archives); $(call link,relay chat tests)
$(B)/tools/%: $(B)/tests/tools/%.o $(archives); $(call link,relay chat)
$(B)/tools/skew.so: tests/containers/skew.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,LD)$(CC) -O2 -Wall -Wextra -shared -fPIC -o $@ $<
$(B)/bench/%: $(B)/tests/bench/%.o $(B)/benchlib.a $(archives); $(call link,relay chat)
$(B)/fuzz/%: $(B)/tests/fuzz/%.o $(archives)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) -fsanitize=fuzzer,address,undefined -o $@ $^ $(call libs,relay chat)

units := $(patsubst tests/unit/%.c,$(B)/unit/%,$(unit))
tool-bins := $(patsubst tests/tools/%.c,$(B)/tools/%,$(tools))
bench-bins := $(patsubst tests/bench/%.c,$(B)/bench/%,$(bench))
bench-tools := $(addprefix $(B)/tools/,crowd cable fill)
check-build: all $(units) $(tool-bins) $(B)/tools/skew.so $(bench-bins) $(B)/unit/sim
check: check-build check-pure check-layers check-headers
	$(Q)CMOCKA_MESSAGE_OUTPUT=TAP prove --exec '' $(units) $(B)/unit/sim

PROVE_JOBS ?= 2
# The real programs in private instances; the storms; hosts in containers, which run what a user would install, or, for another
# flavour, in network namespaces; the longest first.  The programs must find each other.
DRIVER := $(if $(filter release,$(FLAVOUR)),engine,netns)
bats = BIN=$(abspath $(B))/bin DRIVER=$(DRIVER) prove -j$(PROVE_JOBS) --timer --failures --comments --exec bats
longest := tests/scenario/strangers.bats
test: check
	$(Q)$(bats) $(wildcard tests/crash/*.bats tests/containers/*.bats) $(longest) $(filter-out $(longest),$(wildcard tests/scenario/*.bats))

netns: DRIVER := netns
containers: DRIVER := engine
netns containers: check-build
	$(Q)$(bats) $(wildcard tests/containers/*.bats)

check-layers:
	$(Q)awk -f tests/lint/layers.awk tests/lint/layers $(shell find common relay chat -name '*.[ch]')

# A module that does no I/O imports memory and string functions and its fellows, nothing else.
fellows := act|frame|rd|wr|read|write|splitter|text|direct|private|scope|link|have|digest|fork|wire|presence|topology|journal|members|roster|undo|assert
check-pure: $(call obj,$(pure))
	$(Q)! nm -u $^ | awk '$$1=="U"{print $$2}' | sort -u | grep -vE \
	  '^(mem(cpy|move|set|cmp|chr|mem)|bcmp|str(len|nlen|cmp|ncmp|chr|spn)|($(fellows))_.*|_GLOBAL_OFFSET_TABLE_|__(stack_chk_fail|(mem|str)[a-z]+_chk|(a|t|ub)san.*|sanitizer.*))$$'

check-headers:
	$(Q)for h in $$(find common relay chat -name '*.h'); do \
	  echo "#include \"$$h\"" | $(CC) $(CPPFLAGS) -I. $(inc.tests) -std=gnu17 -fsyntax-only -x c - || exit 1; done

# Each in relays of its own; S chooses scenarios, R how often each is repeated, J=1 writes JSON.
# The page with all of it; R: repetitions.
bench-report: all $(bench-bins) $(bench-tools)
	$(Q)$(MAKE) --no-print-directory -s bench J=1 R=$(or $(R),5) >$(B)/bench.json
	$(Q)perl tests/bench/report.pl tests/bench/report.md docs <$(B)/bench.json
# Full load for MINUTES=30, with people who come and go: does memory stay what it is?
bench-soak: all $(B)/bench/bench_soak
	$(Q)MINUTES=$(or $(MINUTES),30) $(B)/bench/bench_soak
bench-smoke: all $(B)/bench/bench_smoke
	$(Q)$(B)/bench/bench_smoke
bench: all $(bench-bins) $(bench-tools)
	$(Q)for b in $(if $(S),$(S:%=$(B)/bench/bench_%),$(filter-out %_smoke %_soak,$(bench-bins))); do \
	  $$b $(if $(R),-n $(R)) $(if $(J),--json) || exit 1; done

# The simulator: the same sources once more, with seeded bugs that can be turned on and system calls that lead into it; with
# small tables, to see them full, and with tables for many hosts.
sim.small := -DLINK_RING=16 -DKEEP_LEAST_S=20 -DLINK_GAP_MAX_S=15
sim.large := -DNODES_MAX=1024 -DHOSTS_MAX=1024
sim.fast  := $(call try,-ftrivial-auto-var-init=uninitialized)
sim.cc     = $(CC) $(CPPFLAGS) $(inc.tests) -DSIM -Itests/sim $1 $(ALL_CFLAGS) $(sim.fast) -c -o $@ $<
sim.wraps := link_next link_judge link_judge_gap link_early link_kept_back write_greeting read_greeting write_feed_order read_feed_order presence_heard presence_heard_beat presence_beat presence_signed presence_expire
sim.link   = @mkdir -p $(@D); $(if $(V),,printf '  %-7s %s\n' LD $@;) \
             $(CC) $(ALL_LDFLAGS) $(sim.wraps:%=-Wl,--wrap=%) -o $@ $^ $(call libs,chat)
$(B)/sim/tests/%.o: tests/%.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(call sim.cc,$(sim.small))
$(B)/sim/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(call sim.cc,$(sim.small) -include tests/sim/seam.h)
$(B)/scale/tests/%.o: tests/%.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(call sim.cc,$(sim.large))
$(B)/scale/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(call sim.cc,$(sim.large) -include tests/sim/seam.h)
$(B)/bin/sim: $(patsubst %.c,$(B)/sim/%.o,$(sim) $(simmed)); $(sim.link)
$(B)/bin/sim-scale: $(patsubst %.c,$(B)/scale/%.o,$(sim) $(simmed)); $(sim.link)

$(B)/unit/sim: $(B)/bin/sim
	@mkdir -p $(@D); printf '#!/bin/sh\nexec "%s" -u -n %d -j 2\n' $(abspath $<) $(if $(filter release,$(FLAVOUR)),150,15) > $@
	@chmod +x $@

SEEDS ?= 1000
JOBS  ?= 1
sim: $(B)/bin/sim
	$(B)/bin/sim $(if $(SEED),-s $(SEED) -n 1,-n $(SEEDS)) $(if $(HOSTS),-h $(HOSTS)) $(if $(TRACE),-t) -j $(JOBS)
mutants: $(B)/bin/sim
	$(B)/bin/sim -m -n $(SEEDS)
SIZES ?= 3 10 50 200 1000
sim-scale: $(B)/bin/sim-scale
	$(Q)for n in $(SIZES); do $(B)/bin/sim-scale -c 3600 -h $$n || exit 1; done

# Clang's, whatever FLAVOUR says.
ifneq ($(FLAVOUR),fuzz)
fuzz fuzz-run:; $(Q)$(MAKE) --no-print-directory FLAVOUR=fuzz $@
else
fuzz: $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(fuzzers))

# Each fuzzer for a while, from a copy of its corpus; what it finds, new or fatal, stays in build/.
FUZZ_SECONDS ?= 10
fuzz-run: fuzz
	$(Q)for f in $(patsubst tests/fuzz/fuzz_%.c,%,$(fuzzers)); do mkdir -p $(B)/fuzz/corpus/$$f; \
	  $(B)/fuzz/fuzz_$$f -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -verbosity=0 -artifact_prefix=$(B)/fuzz/ \
	    $(B)/fuzz/corpus/$$f tests/fuzz/corpus/$$f 2>$(B)/fuzz/$$f.log || { cat $(B)/fuzz/$$f.log; exit 1; }; \
	  awk -v f=$$f '/number_of_executed_units/ {print "  fuzz    " f ": " $$2 " runs"}' $(B)/fuzz/$$f.log; done
endif

install: all
	install -D -m 755 $(B)/bin/relay $(DESTDIR)$(PREFIX)/sbin/relay
	install -D -m 755 $(B)/bin/chat  $(DESTDIR)$(PREFIX)/bin/chat
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 docs/chat.1
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 docs/relay.8
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man5 docs/relay.conf.5

format:
	$(Q)clang-format -i $$(find common relay chat tests -name '*.[ch]')

clean:; $(Q)rm -rf build
.SECONDARY:
.PHONY: all FORCE sim sim-scale mutants check-build check test netns containers check-pure check-layers check-headers bench bench-report bench-smoke bench-soak fuzz fuzz-run install format clean
-include $(shell find $(B) -name '*.d' 2>/dev/null)
