#!/bin/sh
# Rules of sites: memory by default for each core, submission from inside a job, paths of any
# characters, options that exclude --mem.  Needs root.
. tests/lib.sh
. tests/slurm/cluster.sh
hung=300
trap cluster_down EXIT
trap 'exit 130' INT TERM HUP

# A run folder whose name holds what squeue divides its lines by, and a line's end.
odd="$dir/a|b
c"
{ suite | sed "s,^run: .*,run: \"$dir/a|b\\\\nc\","
  printf 'resources:\n  nodes: 2\n  cores: 1\n  memory: 1000MB\n  ask_memory: core\n  time: 10\n'; } > "$dir/odd.yaml"

is_complete() { bin/saemill status "$dir/odd.yaml" | grep -F "The release is complete."; }
queue_is_empty() { [ -z "$(squeue -h)" ]; }
queue_has() { squeue -h -o %j | grep -x "$1"; }
jobs() { squeue -h -r -o '%F %K %j' | sort; }

# From inside a job, whose SLURM_MEM_PER_CPU is that of the site; tasks are held until all claims
# about the queue are made.
submits_from_inside_a_job() {
    sbatch --parsable -n 1 -o "$dir/inside" --wrap "
        env | grep SLURM_MEM_PER_CPU=500
        scontrol update partitionname=all state=down
        bin/saemill submit '$dir/odd.yaml'"
    await queue_has test.submit
    grep SLURM_MEM_PER_CPU=500 "$dir/inside"
    queue_has test.tokenize
}

the_queue_knows_them_again() {
    jobs > "$dir/before"
    bin/saemill submit "$dir/odd.yaml" | tee "$dir/out"
    grep "^the rest: job [0-9]* submits it, and waits already" "$dir/out"
    jobs > "$dir/after"
    diff "$dir/before" "$dir/after"
}

every_task_runs() {
    scontrol update partitionname=all state=up
    await is_complete
    await queue_is_empty
    [ -e "$odd/release" ]
}

options_that_say_memory_replace_mem() {
    bin/saemill submit "$dir/suite.yaml" --dry-run | grep -q -e --mem=
    { suite; printf 'resources:\n  options: [--mem-per-cpu=900M]\n'; } > "$dir/by_core.yaml"
    bin/saemill submit "$dir/by_core.yaml" --dry-run > "$dir/out"
    grep -q -e --mem-per-cpu=900M "$dir/out"
    ! grep -e --mem= "$dir/out"
}

# asked HOW WORD: the sbatch commands have this word, and no other option for memory.
asked() {
    { suite; printf 'resources:\n  cores: 4\n  memory: 8GB\n  ask_memory: %s\n' "$1"; } > "$dir/ask.yaml"
    bin/saemill submit "$dir/ask.yaml" --dry-run | grep -e --nodes=1 > "$dir/out"
    [ "$(grep -o -e '--mem[-a-z]*=[0-9]*M' "$dir/out" | sort -u)" = "$2" ]
}

the_suite_says_how_memory_is_asked_for() {
    asked node --mem=7629M
    asked core --mem-per-cpu=1907M
    asked none ''
}

cluster_up || exit 1
try submits_from_inside_a_job
try the_queue_knows_them_again
try every_task_runs
try options_that_say_memory_replace_mem
try the_suite_says_how_memory_is_asked_for
finish
