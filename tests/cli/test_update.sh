#!/bin/bash
# Promises: update records a value in a histogram.
set -u
. "$(dirname "$0")/lib.sh"
common update x 1

for v in 1 2.5 -4 1e3; do expect 0 mtxctl update size $v disk=sda; done
no_out .
expect 0 mtxctl get size -a count,sum,min,max
is "values" "4 999.5 -4 1000" "$(awk '{print $NF}' "$work/out" | paste -sd' ')"
for v in nan inf 0x10 1,5 '' ' 1'; do
    expect 2 mtxctl update size "$v"
    err 'is not a number'
done
expect 2 mtxctl update size
err 'it takes NAME VALUE'
is "unchanged" 4 "$(mtxctl get -v -a count size)"
mtxctl inc counted
expect 4 mtxctl update counted 1
expect 0 mtxctl update --json size 1 disk=sda
json '.recorded and .tags.disk == "sda"'
finish
