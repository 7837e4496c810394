#!/bin/bash
# Promises: the public headers compile alone, in C11 and C++17, with every warning we ask users to turn on; what
# must not compile does not, and says why; METRICS_OFF leaves nothing of the library to link.
set -u
source=${MTX_SOURCE:?} cc=${CC:-cc} cxx=${CXX:-c++}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
strict=(-Wall -Wextra -Wpedantic -Werror -I "$source/registry/include" -I "$source/shm/include" -c -o "$work/out.o")

verdict() { # verdict OK NAME
    if [ "$1" = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAIL $2" && cat "$work/log"; fi
}
compile() { # compile LANGUAGE FLAGS... < program
    local language=$1
    shift
    if [ "$language" = c ]; then
        "$cc" -std=gnu11 -x c "${strict[@]}" "$@" - >"$work/log" 2>&1
    else
        "$cxx" -std=c++17 -x c++ "${strict[@]}" "$@" - >"$work/log" 2>&1
    fi
}
good() { # good NAME LANGUAGE FLAGS... < program
    local name=$1
    shift
    compile "$@"
    verdict $? "$name: does not compile"
}
bad() { # bad NAME PATTERN LANGUAGE FLAGS... < program: refused, in words that match
    local name=$1 pattern=$2
    shift 2
    if compile "$@"; then
        verdict 1 "$name: compiles, and should not"
    else
        grep -qE "$pattern" "$work/log"
        verdict $? "$name: refused, but not with \"$pattern\""
    fi
}

read -r -d '' everything <<'C'
#include <mtx/metrics.h>
#include <mtx/snapshot.h>
extern int work_to_do(void);
double depth(void *arg);
int work(metrics_registry_t *r, const char *city);
int work(metrics_registry_t *r, const char *city)
{
    static const char *const name[] = {"a", "k", "v"};
    metrics_error_t error;
    metrics_counter_t *c = metrics_counter(r, "orders", "city", city);
    metrics_updown_t *u = metrics_updown(r, "open");
    metrics_gauge_t *g = metrics_gauge(r, "depth");
    metrics_meter_t *m = metrics_meter(r, "events");
    metrics_histogram_t *h = metrics_histogram(r, "bytes");
    metrics_timer_t *t = metrics_timer(r, "time", "city", city), *other = metrics_timer(r, "time", "city", "x");
    metrics_set_t *s = metrics_set(r, "users");
    METRICS_TIME_SCOPE(t);
    metrics_counter_v(r, name, 3);
    metrics_retire(r, name, 3);
    metrics_info(r, "build", "version", "1");
    metrics_counter_inc(c), metrics_counter_add(c, 2);
    metrics_updown_inc(u), metrics_updown_dec(u), metrics_updown_add(u, -3);
    metrics_gauge_set(g, 1.5), metrics_gauge_add(g, -1), metrics_gauge_callback(g, depth, 0);
    metrics_meter_mark(m, 1), metrics_histogram_update(h, 2.5), metrics_timer_update(t, 7);
    metrics_set_add(s, "x", 1);
    metrics_timer_start(t);
    if (work_to_do()) metrics_timer_stop(t);
    else metrics_timer_stop_as(t, other);
    METRICS_INC("i"); METRICS_INC("i", "a", "b"); METRICS_ADD(7, "j", "a", "b");
    METRICS_MARK("m"); METRICS_SET(3.5, "g"); METRICS_UPDATE(1.5, "h"); METRICS_UNIQUE("x", 1, "s");
    METRICS_TIME(metrics_now(), "t", "a", "b", "c", "d", "e", "f", "g", "h");
    metrics_poll(r), metrics_prepare(r);
    return metrics_status(r, &error);
}
C
in_function() { printf '#include <mtx/metrics.h>\nvoid f(metrics_registry_t *r, const char *s);\nvoid f(metrics_registry_t *r, const char *s)\n{\n(void)r, (void)s;\n%s\n}\n' "$1"; }

for language in c c++; do
    for header in metrics snapshot error; do
        good "$language <mtx/$header.h> alone" $language -Wno-unused <<<"#include <mtx/$header.h>
            typedef int nothing_else;"
    done
    for level in -O0 -O2; do good "$language $level everything" $language $level <<<"$everything"; done
    good "$language everything with METRICS_OFF" $language -O0 -DMETRICS_OFF <<<"$everything"
    nm "$work/out.o" | grep -i ' u ' | grep metrics >"$work/log"
    [ ! -s "$work/log" ]
    verdict $? "$language METRICS_OFF: still needs the library"
    bad "$language a variable as a name" 'expected|before .s.' $language < <(in_function 'METRICS_INC(s);')
    bad "$language a variable as a tag" 'expected|before .s.' $language < <(in_function 'METRICS_INC("orders", "city", s);')
    bad "$language an odd number of tag arguments" 'pairs of tag key and value' $language \
        < <(in_function 'METRICS_INC("orders", "city");')
    bad "$language a forgotten stop" 'unused.*metrics__started_t|metrics__started_t.*unused' $language \
        < <(in_function 'metrics_timer_t *t = metrics_timer(r, "t"); metrics_timer_start(t);')
    bad "$language a stop without a start" 'metrics__started_t' $language \
        < <(in_function 'metrics_timer_t *t = metrics_timer(r, "t"); metrics_timer_stop(t);')
    bad "$language a counter taken for a gauge" 'incompatible|cannot convert|no matching function|cannot initialize' \
        $language < <(in_function 'metrics_gauge_t *g = metrics_counter(r, "t"); metrics_gauge_set(g, 1);')
    # Also where warnings are not errors, and where the headers are the system's: an address made of a number crashes.
    for number in 42 "'c'" 'sizeof s' '(long)*s' '1.5' '(int *)0'; do
        for way in -Wno-error "-Wno-error -isystem $source/registry/include -isystem $source/shm/include"; do
            for call in metrics_counter metrics_gauge metrics_info; do
                # shellcheck disable=SC2086
                bad "$language $call(... $number) as a tag's value, $way" \
                    'conver|incompatible|cannot initialize|cannot assign|no matching' $language $way \
                    < <(in_function "$call(r, \"a\", \"k\", $number);")
            done
        done
    done
    good "$language NULL and other strings as tag values" $language -Wno-error -Wno-unused-value \
        < <(in_function 'char own[9] = "x"; metrics_counter(r, "a", "k", (const char *)0, "l", own, "m", s);')
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
