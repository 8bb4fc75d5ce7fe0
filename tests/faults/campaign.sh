#!/bin/sh
# A sample of the campaign (campaign.py), of which `make faults` is the whole.
. tests/lib.sh

attack() {
    HDF5_PLUGIN_PATH=lib "$PYTHON" -B tests/faults/campaign.py "$1" "$2" "$dir/campaign"
}

goes_on_after_kills_at_drawn_points()     { attack kills 12; }
goes_on_after_kills_of_ranks_and_mpirun() { attack jobs 7; }
refuses_or_survives_calls_that_fail()     { attack errors 18; }

# Two ranks wait for a third that sleeps; nothing moves, and the stacks say where.
sees_a_hang() {
    suite > "$dir/suite.yaml"
    stage 1 tokenize "$dir/suite.yaml"
    "$PYTHON" -B - "$dir/suite.yaml" $MPIRUN << 'END'
import sys
sys.path.insert(0, "tests/faults")
import campaign, progress
progress.ASLEEP = 30
try:
    campaign.job([*sys.argv[2:], "-n", "2", "bin/saemill-harvest", sys.argv[1], ":",
                  "-n", "1", "sleep", "infinity"], sys.argv[1], "any:1000000:KILL", "harvest", 0)
except campaign.Fault as fault:
    sys.exit(fault.outcome != "hung" or "MPI_Init_thread" not in str(fault))
sys.exit("it was not seen")
END
}

for claim in sees_a_hang goes_on_after_kills_at_drawn_points \
        goes_on_after_kills_of_ranks_and_mpirun refuses_or_survives_calls_that_fail; do
    try $claim
done
finish
