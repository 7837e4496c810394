#!/bin/bash
# Promises: unique counts distinct elements, whatever bytes they are made of.
set -u
. "$(dirname "$0")/lib.sh"
common unique x y

for who in alice bob alice a=b '' --; do
    expect 0 mtxctl unique logins -- "$who" where=web
done
no_out .
is "distinct" 5 "$(mtxctl get -v logins)"
is "its kind" set "$(mtxctl ls logins | awk '{print $1}')"
expect 2 mtxctl unique logins
err 'it takes NAME ELEMENT'
mtxctl inc counted
expect 4 mtxctl unique counted x
expect 0 mtxctl unique --json logins carol where=web
json '.recorded and .tags.where == "web"'
finish
