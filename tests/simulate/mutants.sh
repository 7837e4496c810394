#!/bin/bash
# Seeded bugs: each is put into a copy of the sources, which is built, and then worlds are simulated until one shows it.
#   tests/simulate/mutants.sh [BUILD [WORLDS [NAME...]]]   by default build/mutants, at most 4000 worlds, all bugs
# The last line is "N passed, N failed": bugs that were found, and those that were not.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd) || exit 2
build=${1:-$top/build/mutants} worlds=${2:-4000}
shift $(($# < 2 ? $# : 2))
copy=$build/source passed=0 failed=0

mkdir -p "$copy" || exit 2
for part in CMakeLists.txt cmake shm registry exporters tools examples tests; do
    rm -rf "${copy:?}/$part"
    cp -r "$top/$part" "$copy/" || exit 2 # with new times: what an earlier run left is built anew
done
configure() { cmake -G Ninja -S "$copy" -B "$build/tree" -DCMAKE_C_COMPILER_LAUNCHER="${CMAKE_C_COMPILER_LAUNCHER:-}" >"$build/log" 2>&1; }
make_it() { cmake --build "$build/tree" --target simulate >>"$build/log" 2>&1; }
configure && make_it || { tail -n 20 "$build/log" && exit 2; }

# mutant NAME FILE PERL-EXPRESSION: the expression must change the file.
mutant() {
    local name=$1 file=$2 edit=$3 out tail
    shift 3
    [ ${#only[@]} -gt 0 ] && [[ " ${only[*]} " != *" $name "* ]] && return
    cp "$top/$file" "$copy/$file"
    perl -0pi -e "$edit" "$copy/$file"
    if cmp -s "$top/$file" "$copy/$file" || ! make_it; then
        echo "$name: it does not apply or compile"
        failed=$((failed + 1))
    else
        out=$("$build/tree/tests/simulate/simulate" --seeds 1 "$worlds" --jobs "$(nproc)" --stop-after 1)
        tail=$(tail -n 1 <<<"$out")
        if [[ $tail =~ ^([0-9]+)\ passed,\ [1-9] ]]; then
            echo "$name: found after $((BASH_REMATCH[1] + 1)) worlds: $(grep -m1 -oE '(VIOLATION|the simulator).*' <<<"$out")"
            passed=$((passed + 1))
        else
            echo "$name: not found ($tail)"
            failed=$((failed + 1))
        fi
    fi
    cp "$top/$file" "$copy/$file"
}
only=("$@")

mutant position-stays exporters/log/log_cursor.c 's/    c->position = 0;\n//'
mutant dropped-not-passed exporters/log/log.c 's/outcome->delivered \+ outcome->dropped \+ outcome->left_out\)/outcome->delivered + outcome->left_out)/'
mutant position-not-written exporters/log/log_mirror.c 's/\.position = c->position/.position = 0/'
mutant base-not-written exporters/log/log_mirror.c 's/\.base = c->base_seq/.base = STORE_NO_BASE/'
mutant cursor-one-ahead exporters/log/log_recover.c 's/c->at = found->at;/c->at = found->at + 1;/'
mutant base-removed exporters/log/log_mirror.c 's/if \(is_base\(log, e->seq\)\)\n        store_unqueue/if (false)\n        store_unqueue/'
mutant stamp-forgotten exporters/log/log.c 's/    c->last_stamp = next->stamp;\n//'
mutant stamps-collide exporters/delivery/consumer_work.c 's/if \(!resolution \|\| wall_ns/if (!resolution || !last || wall_ns/; s/return \(last \/ resolution \+ 1\) \* resolution/return wall_ns/'
mutant drop-ignored exporters/delivery/consumer_work.c 's/bool unsure = answer->ambiguous &&/bool unsure = false \&\& answer->ambiguous \&\&/'
mutant refused-not-counted exporters/delivery/consumer_work.c 's/    w->refused \+= answer->refused;\n//'
mutant bad-not-halved exporters/delivery/consumer_work.c 's/if \(!consumer_halve\(c, now, answer\)\) consumer_lose\(c, answer, LEDGER_REFUSED\)/consumer_lose(c, answer, LEDGER_REFUSED)/'
mutant gateway-timeout-is-sure exporters/transports/transport_http.c 's/ \|\| status == 504//'
mutant half-an-answer-counts exporters/transports/transport_http.c 's/    if \(code != CURLE_OK\) status = 0;\n//'
mutant too-many-requests-is-final exporters/transports/transport_http.c 's/again\[\] = \{408, 425, 429\}/again[] = {408, 425}/'
mutant failure-forgotten exporters/log/store.c 's/s->broken = !good;/s->broken = false;/'
mutant changes-after-failure exporters/log/store.c 's/bool try = !store_broken\(s\) \|\| batch->clears;/bool try = true;/'
mutant first-waiting-merged exporters/log/log_thin.c 's/        if \(c->at == e->seq\) return false;[^\n]*\n//'
mutant incarnations-share-a-log exporters/sampling/source_log.c 's/PRIx64 "\.log", incarnation/PRIx64 ".log", incarnation & 0/'
mutant unreadable-is-gone exporters/sampling/sampler_recover.c 's/bool unsure = access/bool unsure = false \&\& access/'
mutant born-later-is-unknown exporters/view/view.c 's/bool born_since = b &&/bool born_since = false \&\& b \&\&/'
mutant delivered-before-written exporters/log/log.c 's/(log->appending) = true;(.*?)    log_wait\(log, ticket, LOG_PATIENCE\);\n/$1 = false;$2    (void)ticket;\n/s'
mutant rest-deleted exporters/sampling/source.c 's/if \(s->log && s->replaced && !log_size\(s->log\)\.snapshots\) log_spent/if (s->log \&\& s->replaced) log_spent/'
mutant unanswered-not-recorded exporters/delivery/consumer_work.c 's/    if \(unanswered\) consumer_retry/    if (0 \&\& unanswered) consumer_retry/'
mutant once-sends-totals exporters/view/view.c 's/ && h->epoch;/;/'
mutant holes-not-known exporters/log/log_note.c 's/\{n->before, n->some, /{n->before, 0, /'
mutant ended-time-forgotten exporters/log/log_cursor.c 's/    log->ended_stamp = last;\n/    (void)last;\n/; s/    store_put_fact[^\n]*\n//'
mutant foreign-time-used exporters/log/log_note.c 's/return goes_on \|\| n.stamp \* CLOCK_SECOND < stamp/return goes_on || true/'
mutant changed-backend-begins-anew exporters/exporter_reload.c 's/consumer_retire\(p->consumer, successor && successor->consumer\)/consumer_retire(p->consumer, false)/; s/const struct part \*successor/__attribute__((unused)) const struct part *successor/'

echo "$passed passed, $failed failed"
[ $failed = 0 ]
