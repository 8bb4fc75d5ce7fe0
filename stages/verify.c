/* verify -- is a release what it says?
 *
 *   mpirun -n RANKS bin/saemill-verify FOLDER
 *
 *   reads   FOLDER      a release (FORMATS.md, "Release")
 *
 * Needs nothing but the folder: neither the run it came from nor the model.
 */
#include "release/verify.h"

static const char HELP[] =
    "saemill-verify FOLDER\n"
    "\n"
    "Check a release: every file against SHA256SUMS, both forms of every autoencoder against\n"
    "each other, the manifest against the folders.  The exit status is 0 if all is well.\n";

int main(int argc, char **argv)
{
    struct run run = {0};
    json_t *manifest = NULL;
    int64_t bytes = 0;
    enum status st;

    TRY(run_start(&run, "verify", HELP, argc, argv));
    run_enter(&run, PHASE_READ);
    TRY(verify_sums(&run, run.suite, &bytes));
    run_note(&run, "every file has the sum it should have");
    TRY(verify_manifest(&manifest, &run, run.suite));
    TRY(verify_autoencoders(&run, run.suite, manifest));
    const double count = (double)json_array_size(json_object_get(manifest, "autoencoders"));
    run_note(&run, "%.0f autoencoders load, in both forms with the same numbers", count);
    run_summary(&run, count, "autoencoders", (double)bytes);
done:
    json_decref(manifest);
    return run_finish(&run, st);
}
