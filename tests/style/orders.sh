#!/bin/bash
# The order of memory accesses is argued in one table, ORD-n in shm/layout.h, and cited where it is relied upon.
#   tests/style/orders.sh untagged   atomic accesses that cite no row
#   tests/style/orders.sh unknown    tags without a row
#   tests/style/orders.sh uncited    rows that no access cites
# Accesses are calls of mem_*(), __atomic_*() and restartable sections (METRICS__RSEQ_CS). A citation is a comment
# on the line, on the one after it, or at most six lines above it in the same function or right above that. Only
# shm/atomic.h, which defines the operations, is exempt.
set -u
cd "$(dirname "$0")/../.." || exit 2
want=${1:?usage: orders.sh untagged | unknown | uncited}
find shm registry exporters tools -name '*.[ch]' | sort | xargs perl -e '
    use strict;
    my ($want, %row, %cited) = shift;
    open my $table, "<", "shm/layout.h" or die "shm/layout.h: $!";
    while (<$table>) { $row{$1} = $. if /^ \*   (ORD-\d+)\b/ }
    for my $file (@ARGV) {
        open my $in, "<", $file or die "$file: $!";
        my @line = <$in>;
        for my $i (0 .. $#line) {
            next if $file eq "shm/layout.h" and $line[$i] =~ /^ \*/; # the table itself
            while ($line[$i] =~ /\b(ORD-\d+)\b/g) {
                $cited{$1}++ unless $file eq "shm/layout.h";
                print "$file:", $i + 1, ": $1\n" if $want eq "unknown" and !$row{$1};
            }
            next if $file eq "shm/atomic.h" or $want ne "untagged";
            (my $code = $line[$i]) =~ s{/\*.*?(\*/|$)|^ \*.*|"[^"]*"}{}g;
            next if $code =~ /^ *# *define METRICS__RSEQ/;
            next unless $code =~ /\bmem_(load|store|add|publish|cas|max|pair_|fence|swap|drop)\w*\s*\(|\b__atomic_\w+\s*\(|METRICS__RSEQ_CS/;
            next if $code =~ /__atomic_always_lock_free/;
            my $seen = $line[$i] . ($line[$i + 1] // "");
            for (my $j = $i - 1; $j >= 0 and $j >= $i - 6; $j--) {
                last if $line[$j] =~ /^\}/;
                $seen .= $line[$j];
            }
            print "$file:", $i + 1, ":$code" unless $seen =~ /\bORD-\d+\b/;
        }
    }
    if ($want eq "uncited") { $cited{$_} or print "shm/layout.h:$row{$_}: $_\n" for sort keys %row }
    print "shm/layout.h: no row was found\n" unless %row;
' "$want"
