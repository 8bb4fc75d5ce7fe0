#!/bin/sh
# One task of one stage, as `saemill submit` starts it: ROOT SUITE STAGE FIRST.
. "$1/slurm/site.sh"
exec "$1/bin/saemill" task "$2" "$3" "$4" "$start"
