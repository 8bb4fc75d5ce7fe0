#include "suite/tasks.h"
#include "base/allocate.h"
#include "suite/layers.h"
#include "suite/recipes.h"
#include "suite/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- which taps: a flag for each site of each layer ---- */

/* Lists of sites and layers, from section "harvest", or from group `entry` of "saes". */
struct lists {
    const char  *section;
    unsigned     entry;
    const enum site *sites;
    unsigned     sites_count;
    char *const *layers;
    unsigned     layers_count;
};

/* Flag the taps that the lists name; "all" only those also flagged in `within`.
 * E_USAGE if a layer does not exist. */
static enum status flag_taps(bool *taps, const bool *within, int layers,
                             const struct suite *suite, const struct lists *lists)
{
    char place[SUITE_PLACE];
    enum status st = OK;

    for (unsigned r = 0; r < lists->layers_count; r++) {
        struct range range = {0};
        REQUIRE(layers_parse(&range, lists->layers[r]), E_USAGE,
                "'%s' does not name layers; try all, 7 or 3-9", lists->layers[r]);
        const bool all = range.end == INT64_MAX;
        range.end = all ? layers : range.end;
        REQUIRE(range.end <= layers, E_USAGE,
                "%s: the suite asks for layers %s, but the model has %d, numbered from 0; correct "
                "'layers'", suite_place(place, suite, lists->section, lists->entry, "layers"),
                lists->layers[r], layers);
        for (unsigned s = 0; s < lists->sites_count; s++)
            for (int64_t t = range.first * SITES + lists->sites[s]; t < range.end * SITES;
                 t += SITES)
                taps[t] |= !all || within[t];
    }
done:
    return st;
}

static struct tap tap_of(int64_t flag)
{
    return (struct tap){ .site = (enum site)(flag % SITES), .layer = (int)(flag / SITES) };
}

static enum status flag_harvest(bool *harvested, const struct suite *suite, int layers)
{
    bool *all = allocate(layers * SITES, sizeof *all);
    enum status st;

    memset(all, true, (size_t)layers * SITES * sizeof *all);
    st = flag_taps(harvested, all, layers, suite,
                   &(struct lists){ "harvest", 0, suite->harvest.sites,
                                    suite->harvest.sites_count, suite->harvest.layers,
                                    suite->harvest.layers_count });
    free(all);
    return st;
}

/* Is a site harvested at some layer? */
static bool is_harvested(const bool *harvested, int layers, enum site site)
{
    for (int layer = 0; layer < layers; layer++)
        if (harvested[layer * SITES + (int)site])
            return true;
    return false;
}

/* The taps of one group of autoencoders.  E_USAGE if one of them is not harvested. */
static enum status flag_saes(bool *wanted, const bool *harvested, int layers,
                             const struct suite *suite, unsigned group)
{
    const struct suite_saes *saes = &suite->saes[group];
    char name[32], place[SUITE_PLACE];
    enum status st;

    TRY(flag_taps(wanted, harvested, layers, suite,
                  &(struct lists){ "saes", group, saes->sites, saes->sites_count, saes->layers,
                                   saes->layers_count }));
    for (unsigned s = 0; s < saes->sites_count; s++)
        REQUIRE(is_harvested(harvested, layers, saes->sites[s]), E_USAGE,
                "%s: the suite asks for autoencoders of site %s, which is not in harvest.sites; "
                "add it there", suite_place(place, suite, "saes", group, "sites"),
                site_name(saes->sites[s]));
    for (int64_t t = 0; t < (int64_t)layers * SITES; t++) {
        const int64_t target = saes->target == TARGET_INPUT ? t : t - t % SITES + saes->target;
        REQUIRE(!wanted[t] || harvested[t], E_USAGE,
                "%s: the suite asks for autoencoders of %s, which is not harvested; add its layer "
                "to harvest.layers", suite_place(place, suite, "saes", group, "layers"),
                site_tap_name(name, tap_of(t)));
        REQUIRE(!wanted[t] || harvested[target], E_USAGE,
                "%s: the suite asks for transcoders to %s, which is not harvested; add its site "
                "to harvest.sites", suite_place(place, suite, "saes", group, "target"),
                site_tap_name(name, tap_of(target)));
    }
done:
    return st;
}

/* ---- which autoencoders ---- */

enum { MOST_SAES = 4096 };  /* of a stream; each has files of its own */

static void name_sae(struct sae_task *task)
{
    const bool target = task->target_l0 > 0;
    char number[32];

    const bool plain = task->architecture == ARCHITECTURE_JUMPRELU;

    snprintf(task->name, sizeof task->name, "w%d-%c%s%s%s%s%s%s", task->width, target ? 't' : 'l',
             value_number_text(number, target ? task->target_l0 : task->sparsity),
             plain ? "" : "-", plain ? "" : ARCHITECTURES[task->architecture].name,
             task->transcoder ? "-to-" : "",
             task->transcoder ? site_name(task->target.site) : "", task->skip ? "-skip" : "");
}

static void add_sae(struct tap_task *task, struct sae_task sae)
{
    name_sae(&sae);
    task->saes[task->count++] = sae;
}

/* By name, and those of one name as in the suite. */
static int compare_saes(const void *a, const void *b)
{
    const struct sae_task *one = *(const struct sae_task *const *)a;
    const struct sae_task *other = *(const struct sae_task *const *)b;
    const int order = strcmp(one->name, other->name);

    return order != 0 ? order : (one > other) - (one < other);
}

/* Refuse two autoencoders of one name. */
static enum status check_names(const struct tap_task *task, const struct suite *suite)
{
    const struct sae_task **sorted = allocate(task->count, sizeof *sorted);
    char name[32], place[SUITE_PLACE];
    enum status st = OK;

    for (int s = 0; s < task->count; s++)
        sorted[s] = &task->saes[s];
    qsort(sorted, (size_t)task->count, sizeof *sorted, compare_saes);
    for (int s = 1; s < task->count; s++)
        REQUIRE(strcmp(sorted[s - 1]->name, sorted[s]->name) != 0, E_USAGE, "%s: the suite asks "
                "twice for the autoencoder %s of %s; each must differ in width, sparsity, recipe "
                "or target", suite_place(place, suite, "saes",
                                         (unsigned)(sorted[s]->group - suite->saes), "widths"),
                sorted[s]->name, site_tap_name(name, task->tap));
done:
    free(sorted);
    return st;
}

/* The number of a group's autoencoders of a tap: less than 2^44. */
static int64_t saes_of(const struct suite_saes *group)
{
    return (int64_t)group->widths_count * (group->sparsities_count + group->target_l0_count);
}

/* Can a stream have `count` autoencoders, with those of this group? */
static enum status check_count(const struct suite *suite, unsigned group, int64_t count)
{
    char place[SUITE_PLACE];

    if (count <= MOST_SAES)
        return OK;
    return refuse(E_USAGE, "%s: the suite asks for %lld autoencoders of a stream, but a stream can "
                  "have %d; make several suites of it",
                  suite_place(place, suite, "saes", group, "widths"), (long long)count, MOST_SAES);
}

/* What a group's autoencoders of a tap have in common. */
static struct sae_task sae_of(struct tap tap, const struct suite_saes *group)
{
    struct sae_task sae = { .group = group, .architecture = group->recipe, .target = tap,
                            .tokens = group->tokens };

    if (group->target != TARGET_INPUT)
        sae.target.site = group->target;
    sae.transcoder = sae.target.site != tap.site;
    sae.skip = sae.transcoder && group->skip == SKIP_LINEAR;
    return sae;
}

/* Add what one group wants of a tap. */
static void add_group(struct tap_task *task, const struct suite_saes *group)
{
    struct sae_task sae = sae_of(task->tap, group);

    for (unsigned w = 0; w < group->widths_count; w++) {
        sae.width = (int32_t)group->widths[w];
        sae.target_l0 = 0;
        for (unsigned s = 0; s < group->sparsities_count; s++) {
            sae.sparsity = group->sparsities[s];
            add_sae(task, sae);
        }
        sae.sparsity = 0;
        for (unsigned t = 0; t < group->target_l0_count; t++) {
            sae.target_l0 = group->target_l0[t];
            add_sae(task, sae);
        }
    }
}

/* Add what all groups want of it.
 *   wanted [groups, flags]  at the flag of the tap */
static enum status add_groups(struct tap_task *task, const struct suite *suite, const bool *wanted,
                              int64_t flags)
{
    int64_t count = 0;
    enum status st = OK;

    for (unsigned g = 0; g < suite->saes_count; g++)
        if (wanted[g * flags])
            TRY(check_count(suite, g, count += saes_of(&suite->saes[g])));
    task->saes = allocate(count, sizeof *task->saes);
    for (unsigned g = 0; g < suite->saes_count; g++)
        if (wanted[g * flags])
            add_group(task, &suite->saes[g]);
done:
    return st;
}

enum status tasks_make(struct tasks *tasks, const struct suite *suite, int layers)
{
    const int64_t flags = (int64_t)layers * SITES;
    bool *harvested = allocate(flags, sizeof *harvested);
    bool *wanted = allocate(flags * suite->saes_count, sizeof *wanted);    /* [groups, flags] */
    enum status st;

    *tasks = (struct tasks){ .taps = allocate(flags, sizeof *tasks->taps),
                             .train = allocate(flags, sizeof *tasks->train) };
    for (unsigned g = 0; g < suite->saes_count; g++)
        TRY(check_count(suite, g, saes_of(&suite->saes[g])));
    TRY(recipes_check(suite));
    TRY(flag_harvest(harvested, suite, layers));
    for (unsigned g = 0; g < suite->saes_count; g++)
        TRY(flag_saes(wanted + g * flags, harvested, layers, suite, g));

    for (int64_t t = 0; t < flags; t++) {
        if (!harvested[t])
            continue;
        struct tap_task *task = &tasks->train[tasks->taps_count];
        tasks->taps[tasks->taps_count++] = task->tap = tap_of(t);
        TRY(add_groups(task, suite, wanted + t, flags));
        TRY(check_names(task, suite));
    }
done:
    free(wanted);
    free(harvested);
    return st;
}

void tasks_free(struct tasks *tasks)
{
    for (int t = 0; t < tasks->taps_count; t++)
        free(tasks->train[t].saes);
    free(tasks->train);
    free(tasks->taps);
    *tasks = (struct tasks){0};
}
