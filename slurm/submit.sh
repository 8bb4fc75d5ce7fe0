#!/bin/sh
# Submit what could not be counted before the corpus was tokenized: ROOT SUITE.
. "$1/slurm/site.sh"
exec "$1/bin/saemill" submit "$2"
