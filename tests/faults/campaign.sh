#!/bin/sh
# A sample of the campaign (campaign.py), of which `make faults` is the whole.
. tests/lib.sh

attack() {
    HDF5_PLUGIN_PATH=lib "$PYTHON" -B tests/faults/campaign.py "$1" "$2" "$dir/campaign"
}

goes_on_after_kills_at_drawn_points()     { attack kills 12; }
goes_on_after_kills_of_ranks_and_mpirun() { attack jobs 7; }
refuses_or_survives_calls_that_fail()     { attack errors 18; }

for claim in goes_on_after_kills_at_drawn_points goes_on_after_kills_of_ranks_and_mpirun \
        refuses_or_survives_calls_that_fail; do
    try $claim
done
finish
