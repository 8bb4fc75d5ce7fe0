#include "release/remake.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/file.h"
#include "base/version.h"
#include "evaluate/scores.h"
#include "release/manifest.h"
#include "release/page.h"
#include "release/report.h"
#include "sae/saelens.h"
#include "suite/paths.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is made again. */
struct remake {
    const char    *folder;      /* of the release */
    const json_t  *manifest;
    struct suite   suite;       /* as the manifest has it */
    struct tasks   tasks;
    struct entries entries;
};

/* ---- comparing ------------------------------------------------------------------ */

static enum status compare(const char *path, const char *found, int64_t size, const char *wanted,
                           int64_t length)
{
    int64_t same = 0;
    enum status st;

    while (same < size && same < length && found[same] == wanted[same])
        same++;
    REQUIRE(same == size && same == length, E_FORMAT, "%s is not what release makes of the other "
            "files: it differs from byte %lld on; fetch the release again", path, (long long)same);
done:
    return st;
}

/* Compare a file with a text, and free the text. */
static enum status compare_file(const char *path, char *wanted)
{
    char *found = NULL;
    int64_t size;
    enum status st;

    TRY(file_read(path, &found, &size));
    TRY(compare(path, found, size, wanted, (int64_t)strlen(wanted)));
done:
    free(found);
    free(wanted);
    return st;
}

/* ---- manifest ------------------------------------------------------------------- */

/* The manifest must be written as release writes it, and list the suite's autoencoders in the
 * release's order and folders. */
static enum status check_manifest(const struct remake *r)
{
    char path[PATH_LENGTH], name[PATH_NAME];
    json_t *list = manifest_autoencoders(&r->entries);
    struct saelens_origin origin;
    enum status st;

    path_print(path, "%s/manifest.json", r->folder);
    path_name(name, r->suite.model.path);
    TRY(compare_file(path, manifest_text(r->manifest)));
    REQUIRE(json_equal(list, json_object_get(r->manifest, "autoencoders")), E_FORMAT, "%s lists "
            "other autoencoders, or other folders, than its suite and their scores give", path);
    TRY(manifest_origin(&origin, r->manifest, &r->entries.entry[0]));
    REQUIRE(strcmp(origin.model, name) == 0 && origin.context == r->suite.corpus.context, E_FORMAT,
            "%s names the model %s and a context of %lld, but its suite %s and %lld", path,
            origin.model, (long long)origin.context, name, (long long)r->suite.corpus.context);
done:
    json_decref(list);
    return st;
}

/* ---- one autoencoder ------------------------------------------------------------- */

/* The values are compared in checks.c. */
static enum status check_weights_header(const struct sae *sae, const char *path)
{
    struct saelens_weights weights;
    char *header, *found = NULL;
    FILE *file = fopen(path, "rb");
    enum status st;

    saelens_weights_make(&weights, sae);
    header = safetensors_write_header(weights.tensors, weights.count);
    const uint64_t length = strlen(header);
    found = allocate((long long)length + 8, 1);
    REQUIRE(file != NULL, E_IO, "cannot open %s", path);
    const size_t got = fread(found, 1, length + 8, file);
    TRY(compare(path, found, got < 8 ? (int64_t)got : 8, (const char *)&length, 8));
    TRY(compare(path, found + 8, (int64_t)got - 8, header, (int64_t)length));
done:
    if (file != NULL)
        fclose(file);
    free(found);
    free(header);
    saelens_weights_free(&weights);
    return st;
}

/* The scores must be of this autoencoder, and those of the run, if that is there. */
static enum status check_scores(const struct remake *r, const struct entry *entry)
{
    char path[PATH_LENGTH], of_run[PATH_LENGTH], *text = NULL;
    const char *site, *target, *name, *recipe;
    int layer, width;
    int64_t size;
    enum status st;

    path_print(path, "%s/%s/scores.json", r->folder, entry->folder);
    REQUIRE(json_unpack(entry->scores, "{s:s, s:s, s:s, s:s, s:i, s:i}", "site", &site, "target",
                        &target, "name", &name, "recipe", &recipe, "layer", &layer, "width",
                        &width) == 0
            && strcmp(site, site_name(entry->tap.site)) == 0 && layer == entry->tap.layer
            && strcmp(target, site_name(entry->sae.target.site)) == 0
            && strcmp(name, entry->sae.name) == 0 && width == entry->sae.width
            && strcmp(recipe, ARCHITECTURES[entry->sae.architecture].name) == 0, E_FORMAT,
            "%s has the scores of another autoencoder", path);
    paths_scores(of_run, &r->suite, entry->tap, entry->sae.name);
    if (file_exists(of_run)) {
        TRY(file_read(of_run, &text, &size));
        TRY(compare_file(path, text));
        text = NULL;
    }
done:
    return st;
}

/* Local. */
static enum status check_entry(const struct remake *r, const struct entry *entry)
{
    char path[PATH_LENGTH];
    struct saelens_origin origin;
    struct sae sae = {0};
    enum status st;

    path_print(path, "%s/%s/params.npz", r->folder, entry->folder);
    TRY(sae_read_npz(&sae, path));
    sae.form = ARCHITECTURES[entry->sae.architecture].form;
    sae.transcoder = entry->sae.transcoder;
    REQUIRE(sae.latents == entry->sae.width && (sae.skip != NULL) == entry->sae.skip
            && sae.keep == (sae.form == FORM_TOPK ? (int32_t)llround(entry->sae.target_l0) : 0),
            E_FORMAT, "%s has another width, k or skip matrix than the suite asks for", path);
    TRY(manifest_origin(&origin, r->manifest, entry));
    path_print(path, "%s/%s/cfg.json", r->folder, entry->folder);
    TRY(compare_file(path, saelens_config_text(&sae, origin)));
    path_print(path, "%s/%s/sae_weights.safetensors", r->folder, entry->folder);
    TRY(check_weights_header(&sae, path));
    TRY(check_scores(r, entry));
done:
    sae_free(&sae);
    return st;
}

/* ---- the whole ------------------------------------------------------------------ */

/* Is this the program that made the release? */
static bool made_by_this(const json_t *manifest)
{
    const char *commit = json_string_value(json_object_get(json_object_get(manifest, "build"),
                                                           "commit"));

    return commit != NULL && strcmp(commit, version_commit()) == 0;
}

static enum status check_page(const struct remake *r)
{
    char path[PATH_LENGTH], *page = NULL, *found = NULL, *wanted = NULL, *plain = NULL;
    int64_t size;
    enum status st;

    path_print(path, "%s/index.html", r->folder);
    TRY(file_read(path, &page, &size));
    TRY(page_check_plots(page, size, path));
    if (!made_by_this(r->manifest))
        goto done;
    TRY(report_text(&wanted, &r->suite, &r->entries, r->manifest, false));
    plain = page_without_plots(wanted);
    found = page_without_plots(page);
    TRY(compare(path, found, (int64_t)strlen(found), plain, (int64_t)strlen(plain)));
done:
    free(plain);
    free(found);
    free(wanted);
    free(page);
    return st;
}

/* All that is not of one autoencoder.  Local. */
static enum status check_whole(const struct remake *r)
{
    char path[PATH_LENGTH];
    enum status st;

    TRY(check_manifest(r));
    path_print(path, "%s/scores.tsv", r->folder);
    TRY(compare_file(path, entries_text(&r->entries)));
    TRY(check_page(r));
done:
    return st;
}

/* Local. */
static enum status read_all(struct remake *r)
{
    const json_t *model = json_object_get(r->manifest, "model");
    enum status st;

    TRY(manifest_suite(&r->suite, r->folder, r->manifest));
    TRY(tasks_make(&r->tasks, &r->suite,
                   (int)json_integer_value(json_object_get(model, "layers"))));
    TRY(entries_read_release(&r->entries, &r->tasks, r->folder,
                             json_object_get(r->manifest, "autoencoders")));
done:
    return st;
}

enum status remake_compare(struct run *run, const char *folder, const json_t *manifest)
{
    struct remake r = { .folder = folder, .manifest = manifest };
    enum status st;

    TRY_ALL(run->comm, read_all(&r));
    TRY_ROOT(run->comm, check_whole(&r));
    st = OK;
    for (int i = run->rank; i < r.entries.count && st == OK; i += run->size)
        st = check_entry(&r, &r.entries.entry[i]);
    TRY(agree(run->comm, st));
    run_note(run, made_by_this(manifest)
             ? "configs, tables and report are those that the parameters and scores give"
             : "configs and tables are those that the parameters and scores give; the report is of "
               "another version of this program, and was not compared");
done:
    entries_free(&r.entries);
    tasks_free(&r.tasks);
    suite_free(&r.suite);
    return st;
}
