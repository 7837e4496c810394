#!/bin/bash
# Do the models still speak of the sources? Each comment "@ FILE FUNCTION [TAG] ["text"]" in a model names the
# step of the program that it models: the function must be there, cite the tag (in its body or in the comment
# above it) and contain the text. Prints what no longer holds; the last line says how many were checked.
set -u
cd "$(dirname "$0")/../.." || exit 1
found=$(perl - tests/models/*.pml <<'PERL'
use strict;
my ($looked, $stale, %text) = (0, 0);
# The comment above a function, and the function, macro or inline function itself.
sub piece {
    my ($file, $name) = @_;
    $text{$file} //= do { local (@ARGV, $/) = $file; -e $file ? <> : '' };
    my ($before, $found) = ('', undef);
    for (split /\n(?=\n|[A-Za-z_\/#])/, $text{$file}) { # pieces that begin in the first column
        if (/^\s*\/\*/ and not /\*\/\s*\n\S/) { $before = $_; next }
        if (/^[^{;]*\b\Q$name\E\b/ and /\{/ and not /^\s*return/) {
            $found .= $before . $_;
        }
        $before = '' unless /^\s*$/;
    }
    return $found;
}
for my $model (@ARGV) {
    open my $in, '<', $model or die "$model: $!";
    while (<$in>) {
        while (/\@ (\S+\.[ch]) (\w+)(?: (ORD-\d+))?(?: "([^"]*)")?/g) {
            my ($file, $name, $tag, $words, $no) = ($1, $2, $3, $4);
            my $piece = piece($file, $name);
            $looked++;
            $no = "there is no $file" unless -e $file;
            $no //= "$file has no function $name" unless defined $piece;
            $no //= "$name in $file does not cite $tag" if $tag and $piece !~ /\b$tag\b/;
            $no //= "$name in $file no longer has: $words" if defined $words and index($piece, $words) < 0;
            next unless $no;
            print "$model:$.: $no: does the model still say what the program does?\n";
            $stale++;
        }
    }
    close $in;
}
print "sources: $looked steps looked at, $stale stale\n";
exit($stale || !$looked ? 1 : 0);
PERL
)
status=$?
printf '%s\n' "$found"
exit $status
