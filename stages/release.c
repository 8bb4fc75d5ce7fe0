/* release -- the trained autoencoders as the world reads them, with everything about them.
 *
 *   mpirun -n RANKS bin/saemill-release SUITE
 *
 *   reads   RUN/train, RUN/evaluate     autoencoders, training logs, scores
 *           RUN/tokens                  how much text there was
 *           the model and the corpus    their hashes
 *   writes  RUN/release                 FORMATS.md, "Release"
 *
 * Every rank writes whole autoencoders; rank 0 writes the rest.  The same inputs give the
 * same bytes.  The folder appears when it is complete, with the digests of all its files.
 */
#include "base/agree.h"
#include "base/memory.h"
#include "base/run.h"
#include "lm/forward.h"
#include "release/digests.h"
#include "release/manifest.h"
#include "release/plot.h"
#include "release/report.h"
#include "sae/saefile.h"
#include "sae/saelens.h"
#include "suite/paths.h"

#include <stdio.h>
#include <stdlib.h>

static const char HELP[] =
    "saemill-release SUITE\n"
    "\n"
    "Write RUN/release: every autoencoder in the forms of Gemma Scope and SAELens, its scores, a\n"
    "report (index.html), a manifest, and SHA256SUMS.  A release that is there is left alone.\n";

/* What the stage works on. */
struct work {
    struct suite     suite;
    struct lm_config model;
    struct tasks     tasks;
    struct identities identities;
    struct entries   entries;
    char             path[PATH_LENGTH];     /* of the release */
    char             part[PATH_LENGTH];     /* where it is built */
    int64_t          bytes;                 /* of the release, when it is made */
};

/* Read all that says what to do.  Collective. */
static enum status prepare(struct work *work, struct run *run)
{
    enum status st;

    TRY(suite_read(&work->suite, run));
    TRY_ALL(run->comm, config_read(&work->model, work->suite.model.path));
    TRY_ALL(run->comm, tasks_make(&work->tasks, &work->suite, work->model.layers));
    TRY(identities_open(&work->identities, run->comm, &work->suite));
    TRY_ALL(run->comm, entries_read(&work->entries, &work->identities, &work->tasks));
    paths_release(work->path, &work->suite);
    path_print(work->part, "%s.part", work->path);
done:
    return st;
}

/* Make sure of memory, disk and gnuplot, and of an empty place to build in.  Collective. */
static enum status make_room(const struct work *work, struct run *run)
{
    int64_t largest = 0, all = 0;
    char version[64];
    enum status st;

    for (int i = 0; i < work->entries.count; i++) {
        const struct entry *entry = &work->entries.entry[i];
        const int64_t bytes = (int64_t)sizeof(float) * 2 * entry->sae.width
                              * lm_site_width(&work->model, entry->tap.site);

        largest = bytes > largest ? bytes : largest;
        all += 2 * bytes;       /* in two forms */
    }
    TRY(memory_check(run->comm, largest / 2 * 3, "release"));
    TRY_ROOT(run->comm, plot_version(version));
    TRY_ROOT(run->comm, file_remove(work->part));
    TRY_ROOT(run->comm, file_check_disk(work->part, all, "release"));
    TRY_ROOT(run->comm, file_make_folder(work->part));
done:
    return st;
}

static enum status copy_file(const char *from, const char *to)
{
    char *bytes;
    int64_t size;
    enum status st = file_read(from, &bytes, &size);

    if (st == OK)
        st = file_write(to, bytes, size);
    free(bytes);
    return st;
}

/* Write one autoencoder's folder.  Local. */
static enum status export_entry(const struct work *work, const struct entry *entry)
{
    char from[PATH_LENGTH], to[PATH_LENGTH], model[256];
    struct sae sae = {0};
    enum status st;

    paths_sae(from, &work->suite, entry->tap, entry->sae.name, ".h5");
    TRY(saefile_check(from, &entry->identity));
    TRY(saefile_read(&sae, from));
    path_print(to, "%s/%s/params.npz", work->part, entry->folder);
    TRY(file_make_folder_above(to));
    TRY(sae_write_npz(&sae, to));
    path_print(to, "%s/%s/sae_weights.safetensors", work->part, entry->folder);
    TRY(saelens_write_weights(&sae, to));
    path_print(to, "%s/%s/cfg.json", work->part, entry->folder);
    path_name(model, work->suite.model.path);
    TRY(saelens_write_config(&sae, (struct saelens_origin){
        .model = model, .tap = entry->tap, .target = entry->sae.target,
        .context = work->suite.corpus.context,
        .rms_norm = work->model.pre_norms && work->model.norm == LM_NORM_RMS }, to));
    paths_scores(from, &work->suite, entry->tap, entry->sae.name);
    path_print(to, "%s/%s/scores.json", work->part, entry->folder);
    TRY(copy_file(from, to));
done:
    sae_free(&sae);
    return st;
}

/* Every rank its share of the autoencoders.  Collective. */
static enum status export_all(const struct work *work, struct run *run)
{
    const double since = MPI_Wtime();
    enum status st = OK;

    phase_enter(PHASE_WRITE);
    for (int i = run->rank; i < work->entries.count && st == OK; i += run->size) {
        st = export_entry(work, &work->entries.entry[i]);
        run_progress(run, "writing", since, 0, i + 1, work->entries.count, "autoencoders");
    }
    return agree(run->comm, st);
}

/* The files about the whole.  Local, for rank 0. */
static enum status describe(const struct work *work, const json_t *manifest)
{
    char path[PATH_LENGTH];
    enum status st;

    path_print(path, "%s/manifest.json", work->part);
    TRY(manifest_write(manifest, path));
    path_print(path, "%s/scores.tsv", work->part);
    TRY(entries_write(&work->entries, path));
    path_print(path, "%s/index.html", work->part);
    TRY(report_write(path, &work->suite, &work->entries, manifest));
done:
    return st;
}

/* Sum all files and let the release appear.  Collective. */
static enum status seal(struct work *work, struct run *run)
{
    char path[PATH_LENGTH];
    struct digests digests = {0};
    enum status st;

    TRY(digests_list(&digests, run->comm, work->part));
    TRY(digests_compute(&digests, run->comm, work->part));
    path_print(path, "%s/SHA256SUMS", work->part);
    TRY_ALL(run->comm, digests_bytes(&work->bytes, &digests, work->part));
    TRY_ROOT(run->comm, digests_write(&digests, path));
    TRY_ROOT(run->comm, file_publish(work->path));
done:
    digests_free(&digests);
    return st;
}

/* Collective. */
static enum status release(struct work *work, struct run *run)
{
    json_t *manifest = NULL;
    enum status st;

    TRY(make_room(work, run));
    TRY(export_all(work, run));
    phase_enter(PHASE_READ);
    TRY(manifest_make(&manifest, run->comm, &work->suite, &work->model, &work->entries));
    phase_enter(PHASE_COMPUTE);
    TRY_ROOT(run->comm, describe(work, manifest));
    TRY(seal(work, run));
done:
    json_decref(manifest);
    return st;
}

int main(int argc, char **argv)
{
    struct run run = {0};
    struct work work = {0};
    enum status st;

    TRY(run_start(&run, "release", HELP, argc, argv));
    TRY(prepare(&work, &run));
    if (comm_file_exists(run.comm, work.path))
        run_note(&run, "%s is there already", work.path);
    else
        TRY(release(&work, &run));
    run_summary(&run, work.entries.count, "autoencoders", (double)work.bytes);
done:
    entries_free(&work.entries);
    identities_free(&work.identities);
    tasks_free(&work.tasks);
    suite_free(&work.suite);
    return run_finish(&run, st);
}
