#!/bin/bash
# Promises: mark counts events on a meter, one or N.
set -u
. "$(dirname "$0")/lib.sh"
common mark x

expect 0 mtxctl mark mails
expect 0 mtxctl mark mails 12
expect 0 mtxctl mark mails 2 folder=inbox
expect 0 mtxctl mark mails folder=inbox
no_out .
expect 0 mtxctl get mails -a count
is "totals" "13 3" "$(awk '{print $NF}' "$work/out" | paste -sd' ')"
is "its kind" meter "$(mtxctl ls mails folder=inbox | awk '{print $1}')"
expect 2 mtxctl mark mails -2
err '\-2 is below 0'
expect 2 mtxctl mark mails many
err '"many" is not a whole number'
expect 2 mtxctl mark mails 1 2
err '"2" is not a tag'
mtxctl inc counted
expect 4 mtxctl mark counted
expect 0 mtxctl mark --json mails
json .recorded
finish
