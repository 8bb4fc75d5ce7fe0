/* verify -- is a release what it says?
 *
 *   mpirun -n RANKS bin/saemill-verify FOLDER
 *
 *   reads   FOLDER          a release (FORMATS.md, "Release")
 *           FOLDER/../shuffle, FOLDER/../harvest    if they are there: what rows they hold
 *           FOLDER/../tokens    and the model, if they are there: to score again
 */
#include "base/path.h"
#include "release/checks.h"
#include "release/remake.h"
#include "release/rescore.h"
#include "release/streams.h"

static const char HELP[] =
    "saemill-verify FOLDER [--task N]\n"
    "\n"
    "Check a release: every file against SHA256SUMS, both forms of every autoencoder against\n"
    "each other, the manifest against the folders; configs, tables and report against those that\n"
    "parameters, scores and manifest give.  In the run folder it came from, the hash of\n"
    "the shuffled rows of each stream against that of the harvested ones; and, with the model\n"
    "where the suite says, one autoencoder is scored again: number N, from 0, of scores.tsv,\n"
    "or the one in the middle.  The exit status is 0 if all is well.\n";

int main(int argc, char **argv)
{
    struct run run = {0};
    char folder[PATH_LENGTH];
    json_t *manifest = NULL;
    int64_t bytes = 0;
    enum status st;

    TRY(run_start(&run, "verify", HELP, argc, argv));
    path_print(folder, "%s", run.suite);
    path_trim(folder);
    phase_enter(PHASE_READ);
    TRY(checks_sums(&run, folder, &bytes));
    run_note(&run, "every file has the sum it should have");
    TRY(checks_manifest(&manifest, &run, folder));
    TRY(checks_autoencoders(&run, folder, manifest));
    const int64_t count = (int64_t)json_array_size(json_object_get(manifest, "autoencoders"));
    run_note(&run, "%lld autoencoders load, in both forms with the same numbers",
             (long long)count);
    TRY(remake_compare(&run, folder, manifest));
    TRY(streams_verify(&run, folder, manifest));
    phase_enter(PHASE_COMPUTE);
    TRY(run_check_task(&run, count));
    TRY(rescore(&run, folder, manifest, run.task >= 0 ? run.task : count / 2));
    run_summary(&run, (double)count, "autoencoders", (double)bytes);
done:
    json_decref(manifest);
    return run_finish(&run, st);
}
