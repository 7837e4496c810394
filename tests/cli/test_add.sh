#!/bin/bash
# Promises: add adds exactly N; a counter never falls, an updown may.
set -u
. "$(dirname "$0")/lib.sh"
common add x 1

expect 0 mtxctl add bytes 1048576 disk=sda
expect 0 mtxctl add bytes 1 disk=sda
expect 0 mtxctl add bytes 0 disk=sda
no_out .
is "sum" 1048577 "$(mtxctl get -v bytes)"
expect 0 mtxctl add huge 9223372036854775807
expect 0 mtxctl add huge 9223372036854775808
is "the largest" 18446744073709551615 "$(mtxctl get -v huge)"
expect 0 mtxctl add huger 18446744073709551615
is "the largest at once" 18446744073709551615 "$(mtxctl get -v huger)"
expect 2 mtxctl add bytes -1 disk=sda
err '\-1 is below 0, and this total only grows'
expect 2 mtxctl add bytes 1.5
err '"1.5" is not a whole number'
expect 2 mtxctl add bytes 18446744073709551616
err '18446744073709551616 is larger than 2\^64 - 1'
expect 2 mtxctl add bytes
err 'it takes NAME N \[KEY=VALUE\.\.\.\]'
is "unchanged" 1048577 "$(mtxctl get -v bytes)"

expect 0 mtxctl add --updown jobs -3
expect 0 mtxctl add jobs 1 -u
is "an updown" -2 "$(mtxctl get -v jobs)"
is "its kind" updown "$(mtxctl ls jobs | awk '{print $1}')"
expect 4 mtxctl add jobs 1
err '^mtxctl add: .*jobs'
expect 4 mtxctl add --updown bytes 1 disk=sda
expect 0 mtxctl add --json bytes 1 disk=sda
json '.recorded and .name == "bytes" and .tags.disk == "sda"'
finish
