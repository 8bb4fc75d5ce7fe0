#include "release/entries.h"
#include "base/allocate.h"
#include "base/text.h"
#include "evaluate/scores.h"
#include "suite/paths.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The scores that the report needs. */
static const char *const NEEDED[] = {
    "tokens", "ce", "ce_spliced", "delta_loss", "loss_recovered_zero", "kl", "l0", "fvu",
    "cosine", "gamma", "never_active", "dense_above_10_percent",
};

const char *entries_width_name(char name[16], int32_t width)
{
    if (width >= 1000000)
        snprintf(name, 16, "%dm", width / 1000000);
    else if (width >= 1000)
        snprintf(name, 16, "%dk", width / 1000);
    else
        snprintf(name, 16, "%d", width);
    return name;
}

double entries_score(const struct entry *entry, const char *name)
{
    const json_t *value = json_object_get(entry->scores, name);

    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* ---- reading -------------------------------------------------------------------- */

static enum status read_scores(struct entry *entry, const char *path)
{
    enum status st;

    TRY(scores_read(&entry->scores, path));
    for (size_t i = 0; i < sizeof NEEDED / sizeof *NEEDED; i++) {
        const json_t *value = json_object_get(entry->scores, NEEDED[i]);

        REQUIRE(json_is_number(value) || json_is_null(value), E_FORMAT, "cannot use the scores %s: "
                "they have no number '%s'; remove the file and run evaluate again", path,
                NEEDED[i]);
    }
    REQUIRE(isfinite(entries_score(entry, "l0")), E_NUMERIC,
            "cannot release %s: its l0 is not a number", path);
done:
    return st;
}

/* Refuse if an autoencoder has no scores, or if there are no autoencoders. */
static enum status check_all_scored(const struct suite *suite, const struct tasks *tasks)
{
    char path[PATH_LENGTH], missing[PATH_LENGTH] = "";
    int count = 0, without = 0;
    enum status st;

    for (int t = 0; t < tasks->taps_count; t++)
        for (int s = 0; s < tasks->train[t].count; s++, count++) {
            paths_scores(path, suite, tasks->train[t].tap, tasks->train[t].saes[s].name);
            if (file_exists(path))
                continue;
            if (without++ == 0)
                path_print(missing, "%s", path);
        }
    REQUIRE(count > 0, E_USAGE,
            "the suite asks for no autoencoder, so there is nothing to release");
    REQUIRE(without == 0, E_USAGE, "%d of %d autoencoders have no scores yet, for example %s; run "
            "the stages before release first", without, count, missing);
done:
    return st;
}

/* ---- order and folders ----------------------------------------------------------- */

/* For qsort(): by site, layer, width, L0 and name. */
static int by_order(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    const double a_l0 = entries_score(a, "l0"), b_l0 = entries_score(b, "l0");

    if (a->tap.site != b->tap.site)
        return site_traits(a->tap.site)->listed - site_traits(b->tap.site)->listed;
    if (a->tap.layer != b->tap.layer)
        return a->tap.layer < b->tap.layer ? -1 : 1;
    if (a->sae.width != b->sae.width)
        return a->sae.width < b->sae.width ? -1 : 1;
    if (a_l0 < b_l0 || a_l0 > b_l0)
        return a_l0 < b_l0 ? -1 : 1;
    return strcmp(a->sae.name, b->sae.name);
}

/* Where several folders would have the same name, the autoencoder's name is appended to all of
 * them, so that no name depends on the order. */
static void name_folders(struct entries *entries)
{
    bool *twice = allocate(entries->count, sizeof *twice);
    char width[16];

    for (int i = 0; i < entries->count; i++) {
        struct entry *e = &entries->entry[i];

        snprintf(e->folder, sizeof e->folder, "%s/layer_%d/width_%s/average_l0_%.0f",
                 site_name(e->tap.site), e->tap.layer, entries_width_name(width, e->sae.width),
                 entries_score(e, "l0"));
    }
    for (int i = 0; i < entries->count; i++)
        for (int j = i + 1; j < entries->count; j++)
            if (strcmp(entries->entry[i].folder, entries->entry[j].folder) == 0)
                twice[i] = twice[j] = true;
    for (int i = 0; i < entries->count; i++) {
        struct entry *e = &entries->entry[i];
        const size_t length = strlen(e->folder);

        if (twice[i])
            snprintf(e->folder + length, sizeof e->folder - length, "_%s", e->sae.name);
    }
    free(twice);
}

/* Collect the autoencoders of all tasks, without their scores. */
static void list_all(struct entries *entries, const struct tasks *tasks)
{
    int count = 0;

    for (int t = 0; t < tasks->taps_count; t++)
        count += tasks->train[t].count;
    *entries = (struct entries){ .entry = allocate(count, sizeof *entries->entry) };
    for (int t = 0; t < tasks->taps_count; t++)
        for (int s = 0; s < tasks->train[t].count; s++)
            entries->entry[entries->count++] = (struct entry){
                .tap = tasks->train[t].tap, .sae = tasks->train[t].saes[s] };
}

static void give_places(struct entries *entries)
{
    qsort(entries->entry, (size_t)entries->count, sizeof *entries->entry, by_order);
    name_folders(entries);
}

enum status entries_read(struct entries *entries, const struct identities *identities,
                         const struct tasks *tasks)
{
    char path[PATH_LENGTH];
    enum status st;

    *entries = (struct entries){0};
    TRY(check_all_scored(identities->suite, tasks));
    list_all(entries, tasks);
    for (int i = 0; i < entries->count; i++) {
        struct entry *entry = &entries->entry[i];
        const struct identity wanted = identities_scores(identities, entry->tap, &entry->sae);

        entry->identity = identities_sae(identities, entry->tap, &entry->sae);
        paths_scores(path, identities->suite, entry->tap, entry->sae.name);
        TRY(read_scores(entry, path));
        TRY(scores_check_identity(entry->scores, path, &wanted));
    }
    give_places(entries);
done:
    return st;
}

/* The folder that a manifest's list gives an autoencoder; NULL if none. */
static const char *find_folder(const json_t *list, const struct entry *entry)
{
    const char *site, *name, *folder;
    json_t *listed;
    size_t i;
    int layer;

    json_array_foreach(list, i, listed)
        if (json_unpack(listed, "{s:s, s:i, s:s, s:s}", "site", &site, "layer", &layer, "name",
                        &name, "folder", &folder) == 0
            && layer == entry->tap.layer && strcmp(site, site_name(entry->tap.site)) == 0
            && strcmp(name, entry->sae.name) == 0)
            return folder;
    return NULL;
}

enum status entries_read_release(struct entries *entries, const struct tasks *tasks,
                                 const char *release, const json_t *list)
{
    char path[PATH_LENGTH];
    enum status st = OK;

    list_all(entries, tasks);
    REQUIRE(entries->count > 0, E_FORMAT, "the suite in %s/manifest.json asks for no autoencoder",
            release);
    for (int i = 0; i < entries->count; i++) {
        const char *folder = find_folder(list, &entries->entry[i]);

        REQUIRE(folder != NULL, E_FORMAT,
                "%s/manifest.json does not list the autoencoder %s, which "
                "its suite asks for",
                release, entries->entry[i].sae.name);
        path_print(path, "%s/%s/scores.json", release, folder);
        TRY(read_scores(&entries->entry[i], path));
    }
    give_places(entries);
done:
    return st;
}

void entries_free(struct entries *entries)
{
    for (int i = 0; i < entries->count; i++)
        json_decref(entries->entry[i].scores);
    free(entries->entry);
    *entries = (struct entries){0};
}

/* ---- as a table ----------------------------------------------------------------- */

char *entries_text(const struct entries *entries)
{
    char *text = NULL;
    size_t size;
    FILE *out = text_open(&text, &size);

    fputs("folder\tsite\ttarget\tlayer\trecipe\twidth\tsparsity\ttarget_l0\ttrained_on", out);
    for (size_t k = 0; k < sizeof NEEDED / sizeof *NEEDED; k++)
        fprintf(out, "\t%s", NEEDED[k]);
    for (int i = 0; i < entries->count; i++) {
        const struct entry *e = &entries->entry[i];

        fprintf(out, "\n%s\t%s\t%s\t%d\t%s\t%d\t%g\t%g\t%lld", e->folder,
                site_name(e->tap.site), site_name(e->sae.target.site), e->tap.layer,
                ARCHITECTURES[e->sae.architecture].name, e->sae.width, e->sae.sparsity,
                e->sae.target_l0,
                (long long)e->sae.tokens);
        for (size_t k = 0; k < sizeof NEEDED / sizeof *NEEDED; k++)
            fprintf(out, "\t%.9g", entries_score(e, NEEDED[k]));
    }
    fputc('\n', out);
    text_close(out);
    return text;
}

enum status entries_write(const struct entries *entries, const char *path)
{
    char *text = entries_text(entries);
    const enum status st = file_write(path, text, (int64_t)strlen(text));

    free(text);
    return st;
}
