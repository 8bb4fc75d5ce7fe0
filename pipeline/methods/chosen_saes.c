#include "methods/chosen_saes.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "corpus/identities.h"
#include "corpus/inputs.h"
#include "sae/saefile.h"
#include "suite/paths.h"
#include "suite/trained.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void name_sae(char name[CHOSEN_SAES_NAME], struct tap tap, const struct sae_task *task)
{
    char stream[32];

    snprintf(name, CHOSEN_SAES_NAME, "%s/%s", site_tap_name(stream, tap), task->name);
}

/* Note the autoencoder of this name.  Returns whether there is one. */
static bool add(struct chosen_saes *chosen, const char *name)
{
    struct chosen_sae *sae = &chosen->sae[chosen->count];

    for (int t = 0; t < chosen->tasks.taps_count; t++) {
        const struct tap_task *stream = &chosen->tasks.train[t];
        for (int i = 0; i < stream->count; i++) {
            name_sae(sae->name, stream->tap, &stream->saes[i]);
            if (strcmp(sae->name, name) != 0)
                continue;
            sae->tap = stream->tap;
            sae->task = &stream->saes[i];
            chosen->count++;
            return true;
        }
    }
    return false;
}

/* Some names that could be given: "res.00/w64-t5, res.01/w64-t5". */
static const char *examples(char text[4 * CHOSEN_SAES_NAME], const struct chosen_saes *chosen)
{
    char name[CHOSEN_SAES_NAME];
    int n = 0, found = 0;

    text[0] = '\0';
    for (int t = 0; t < chosen->tasks.taps_count && found < 3; t++)
        if (chosen->tasks.train[t].count > 0) {
            name_sae(name, chosen->tasks.taps[t], &chosen->tasks.train[t].saes[0]);
            n += snprintf(text + n, CHOSEN_SAES_NAME, "%s%s", found++ > 0 ? ", " : "", name);
        }
    return text;
}

static int by_depth(const void *a, const void *b)
{
    const struct chosen_sae *p = a, *q = b;
    const int64_t x = site_tap_step(p->tap), y = site_tap_step(q->tap);

    return (x > y) - (x < y);
}

enum status chosen_saes_find(struct chosen_saes *chosen, const struct suite *suite, int layers)
{
    const struct trained_wish wish = trained_wish(suite);
    char place[SUITE_PLACE], text[4 * CHOSEN_SAES_NAME];
    enum status st;

    *chosen = (struct chosen_saes){0};
    TRY(trained_read(&chosen->suite, suite));
    TRY(tasks_make(&chosen->tasks, &chosen->suite, layers));
    suite_place(place, suite, wish.section, 0, "autoencoders");
    REQUIRE(wish.count > 0, E_USAGE, "%s: '%s.autoencoders' is missing: "
            "those of %s that are meant, such as %s", place, wish.section, chosen->suite.path,
            examples(text, chosen));
    chosen->sae = allocate(wish.count, sizeof *chosen->sae);
    for (unsigned i = 0; i < wish.count; i++)
        REQUIRE(add(chosen, wish.autoencoders[i]), E_USAGE, "%s: %s has no autoencoder %s; it "
                "has, for example, %s", place, chosen->suite.path, wish.autoencoders[i],
                examples(text, chosen));
    qsort(chosen->sae, (size_t)chosen->count, sizeof *chosen->sae, by_depth);
done:
    return st;
}

void chosen_saes_free(struct chosen_saes *chosen)
{
    free(chosen->sae);
    tasks_free(&chosen->tasks);
    suite_free(&chosen->suite);
    *chosen = (struct chosen_saes){0};
}

static enum status check_sae(const struct chosen_saes *chosen, const struct chosen_sae *sae,
                             const struct identities *identities, const char *place)
{
    char path[PATH_LENGTH];
    enum status st;

    REQUIRE(!sae->task->transcoder, E_USAGE, "%s: %s is a transcoder, which does not read the row "
            "that it makes; latents of a circuit are those of autoencoders", place, sae->name);
    paths_trained(path, &chosen->suite, sae->name);
    REQUIRE(file_exists(path), E_USAGE, "%s: %s is not trained, there is no %s; run %s first",
            place, sae->name, path, chosen->suite.path);
    const struct identity wanted = identities_sae(identities, sae->tap, sae->task);
    TRY(saefile_check(path, &wanted));
done:
    return st;
}

enum status chosen_saes_check(const struct chosen_saes *chosen, const struct suite *suite)
{
    struct identities identities = {0};
    char place[SUITE_PLACE];
    bool found;
    enum status st;

    suite_place(place, suite, trained_wish(suite).section, 0, "autoencoders");
    TRY(inputs_check_model(suite, &chosen->suite));
    TRY(identities_recorded(&identities, &found, &chosen->suite));
    for (int i = 0; i < chosen->count; i++) {
        const struct chosen_sae *sae = &chosen->sae[i];
        REQUIRE(i == 0 || by_depth(sae - 1, sae) != 0, E_USAGE, "%s: %s and %s are of the same "
                "stream, whose rows can be the sum of one's latents; keep one of them", place,
                (sae - 1)->name, sae->name);
        TRY(check_sae(chosen, sae, &identities, place));
    }
done:
    identities_free(&identities);
    return st;
}

struct latent_site *chosen_saes_known(int *count, const struct suite *suite,
                                      const struct lm_config *config)
{
    struct chosen_saes chosen;

    if (chosen_saes_find(&chosen, suite, config->layers) != OK) {
        refuse_clear();
        chosen.count = 0;
    }
    struct latent_site *sites = allocate(chosen.count, sizeof *sites);
    for (int i = 0; i < chosen.count; i++) {
        const struct chosen_sae *sae = &chosen.sae[i];
        sites[i].tap = sae->tap;
        sites[i].sae.inputs = sites[i].sae.outputs = lm_site_width(config, sae->tap.site);
        sites[i].sae.latents = sae->task->width;
    }
    *count = chosen.count;
    chosen_saes_free(&chosen);
    return sites;
}

int64_t chosen_saes_shared(const struct suite *suite, const struct lm_config *config)
{
    int count;
    struct latent_site *sites = chosen_saes_known(&count, suite, config);
    int64_t all = 0, largest = 0;

    for (int s = 0; s < count; s++) {
        const struct sae *sae = &sites[s].sae;
        const int64_t each = (int64_t)sizeof(float)
                             * sae_parameters(sae->inputs, sae->outputs, sae->latents, false);
        all += each;
        largest = max_int64(largest, each);
    }
    free(sites);
    return all + largest;
}

enum status chosen_saes_read(struct latent_site **sites, struct shared_saes *shared,
                             const struct chosen_saes *chosen, MPI_Comm comm)
{
    char path[PATH_LENGTH];
    enum status st = OK;

    *sites = allocate(chosen->count, sizeof **sites);
    shared_saes_make(shared, chosen->count);
    for (int i = 0; i < chosen->count; i++) {
        paths_trained(path, &chosen->suite, chosen->sae[i].name);
        TRY(shared_saes_read(shared, comm, saefile_read, path));
        (*sites)[i] = (struct latent_site){ chosen->sae[i].tap, shared->saes[i] };
    }
done:
    return st;
}
