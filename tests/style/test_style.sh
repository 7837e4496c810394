#!/bin/bash
# Promise: layers, names and exports stay as the documentation says.
exec bash "$(dirname "$0")/check.sh"
