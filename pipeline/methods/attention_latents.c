#include "methods/attention_latents.h"
#include "base/allocate.h"
#include "base/minmax.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- autoencoders -------------------------------------------------------------------- */

/* The number of the chosen autoencoder of this stream; -1: there is none. */
static int find_stream(const struct chosen_saes *chosen, struct tap tap)
{
    for (int i = 0; i < chosen->count; i++)
        if (chosen->sae[i].tap.site == tap.site && chosen->sae[i].tap.layer == tap.layer)
            return i;
    return -1;
}

/* Is this autoencoder of attn, or of the stream that such a one's layer reads? */
static bool is_used(const struct attention_latents *all, int sae)
{
    for (int s = 0; s < all->sites; s++)
        if (all->site[s].own == sae || all->site[s].below == sae)
            return true;
    return false;
}

/* "has attn.02/w256-t16, for example". */
static const char *example(char text[2 * CHOSEN_SAES_NAME], const struct chosen_saes *chosen)
{
    char stream[32];

    for (int t = 0; t < chosen->tasks.taps_count; t++) {
        const struct tap_task *task = &chosen->tasks.train[t];
        if (task->tap.site != SITE_ATTN || task->count == 0)
            continue;
        snprintf(text, 2 * CHOSEN_SAES_NAME, "has %s/%.100s, for example",
                 site_tap_name(stream, task->tap), task->saes[0].name);
        return text;
    }
    return "trains none; give it the site attn";
}

static enum status find_sites(struct attention_latents *all, const char *place)
{
    const struct chosen_saes *chosen = all->chosen;
    char text[2 * CHOSEN_SAES_NAME];
    enum status st = OK;

    all->site = allocate(chosen->count, sizeof *all->site);
    for (int i = 0; i < chosen->count; i++)
        if (chosen->sae[i].tap.site == SITE_ATTN) {
            const struct tap below = { SITE_RES, chosen->sae[i].tap.layer - 1 };
            all->site[all->sites++] =
                (struct attention_latents_site){ i, find_stream(chosen, below) };
        }
    REQUIRE(all->sites > 0, E_USAGE, "%s: none of these is of a stream attn, whose latents heads "
            "make; %s %s", place, chosen->suite.path, example(text, chosen));
    for (int i = 0; i < chosen->count; i++)
        REQUIRE(is_used(all, i), E_USAGE, "%s: %s is not of attn, nor of a stream that a layer of "
                "these reads; take it out", place, chosen->sae[i].name);
done:
    return st;
}

/* --- latents ------------------------------------------------------------------------- */

/* The site whose autoencoder has this name, of `length` characters; -1: there is none. */
static int find_site(const struct attention_latents *all, const char *name, size_t length)
{
    for (int s = 0; s < all->sites; s++) {
        const char *own = all->chosen->sae[all->site[s].own].name;
        if (strlen(own) == length && strncmp(own, name, length) == 0)
            return s;
    }
    return -1;
}

/* Read "attn.02/w256-t16/17". */
static enum status find_latent(struct attention_latents_target *target,
                               const struct attention_latents *all, const char *text,
                               const char *place)
{
    const char *slash = strrchr(text, '/');
    const int site = slash == NULL ? -1 : find_site(all, text, (size_t)(slash - text));
    char *end;
    enum status st = OK;

    REQUIRE(site >= 0, E_USAGE, "%s: %s is no latent of an autoencoder of attn among "
            "'autoencoders'; it would be one like %s/0", place, text,
            all->chosen->sae[all->site[0].own].name);
    errno = 0;
    const long number = strtol(slash + 1, &end, 10);
    const int32_t latents = all->chosen->sae[all->site[site].own].task->width;
    REQUIRE(end != slash + 1 && *end == '\0' && errno == 0 && 0 <= number && number < latents,
            E_USAGE, "%s: there is no latent %s; those of %.*s have the numbers 0 to %d", place,
            text, (int)(slash - text), text, (int)latents - 1);
    *target = (struct attention_latents_target){ .site = site, .latent = (int32_t)number };
done:
    return st;
}

static int by_site(const void *a, const void *b)
{
    const struct attention_latents_target *p = a, *q = b;

    if (p->site != q->site)
        return p->site - q->site;
    return (p->latent > q->latent) - (p->latent < q->latent);
}

static enum status find_latents(struct attention_latents *all)
{
    const struct suite_circuit *circuit = &all->suite->circuit;
    char place[SUITE_PLACE];
    enum status st = OK;

    suite_place(place, all->suite, "circuit", 0, "latents");
    REQUIRE((circuit->latents_count > 0) != (circuit->samples > 0), E_USAGE,
            "%s: which latents?  Name them in 'latents', or say in 'samples' how many of each "
            "autoencoder: those that are strongest on the prompts", place);
    all->target = allocate(circuit->latents_count, sizeof *all->target);
    for (unsigned i = 0; i < circuit->latents_count; i++)
        TRY(find_latent(&all->target[all->targets++], all, circuit->latents[i], place));
    qsort(all->target, (size_t)all->targets, sizeof *all->target, by_site);
    for (int64_t t = 1; t < all->targets; t++)
        REQUIRE(by_site(&all->target[t - 1], &all->target[t]) != 0, E_USAGE,
                "%s: %s/%d is named twice", place,
                all->chosen->sae[all->site[all->target[t].site].own].name,
                (int)all->target[t].latent);
done:
    return st;
}

enum status attention_latents_find(struct attention_latents *all, const struct suite *suite,
                                   const struct chosen_saes *chosen)
{
    char place[SUITE_PLACE];
    enum status st;

    *all = (struct attention_latents){ .suite = suite, .chosen = chosen };
    suite_place(place, suite, "circuit", 0, "autoencoders");
    TRY(find_sites(all, place));
    TRY(find_latents(all));
done:
    return st;
}

void attention_latents_free(struct attention_latents *all)
{
    fields_free(&all->results);
    for (int64_t t = 0; t < all->targets; t++)
        latent_sources_target_free(&all->target[t].reader);
    free(all->target);
    free(all->site);
    *all = (struct attention_latents){0};
}

/* --- the strongest ------------------------------------------------------------------- */

int attention_latents_strongest(int64_t *place, int most, const double *value, int64_t count)
{
    int n = 0;

    for (int64_t i = 0; i < count; i++) {
        const double size = fabs(value[i]);
        int at = n;
        while (at > 0 && size > fabs(value[place[at - 1]]))
            at--;
        if (at == most || !(size > 0))
            continue;
        n += n < most;
        memmove(place + at + 1, place + at, (size_t)(n - 1 - at) * sizeof *place);
        place[at] = i;
    }
    return n;
}

enum status attention_latents_choose(struct attention_latents *all, const float *most)
{
    enum status st = OK;

    free(all->target);
    all->target = allocate(all->sites * all->suite->circuit.samples, sizeof *all->target);
    all->targets = 0;
    for (int s = 0; s < all->sites; s++) {
        const int64_t latents = all->saes[all->site[s].own].sae.latents;
        const int64_t samples = min_int64(all->suite->circuit.samples, latents);
        double *value = allocate(latents, sizeof *value);
        int64_t *place = allocate(samples, sizeof *place);
        for (int64_t i = 0; i < latents; i++)
            value[i] = (double)most[i];
        const int found = attention_latents_strongest(place, (int)samples, value, latents);
        for (int i = 0; i < found; i++)
            all->target[all->targets++] =
                (struct attention_latents_target){ .site = s, .latent = (int32_t)place[i] };
        most += latents;
        free(place);
        free(value);
    }
    REQUIRE(all->targets > 0, E_USAGE, "no latent of %s is active on these prompts",
            all->chosen->sae[all->site[0].own].name);
done:
    return st;
}

/* --- results ------------------------------------------------------------------------- */

int attention_latents_name(struct field field[ATTENTION_LATENTS_FIELDS], int64_t targets,
                           bool below, const struct lm_config *c, int64_t tokens)
{
    const int64_t listed = ATTENTION_LATENTS_LISTED;
    const struct field table[ATTENTION_LATENTS_FIELDS] = {
        [ATTENTION_LATENTS_POSITION]       = { .name = "position", .columns = 1 },
        [ATTENTION_LATENTS_PRE_ACTIVATION] = { .name = "pre_activation", .columns = 1 },
        [ATTENTION_LATENTS_ACTIVATION]     = { .name = "activation", .columns = 1 },
        [ATTENTION_LATENTS_HEAD]           = { .name = "part_head", .columns = c->heads },
        [ATTENTION_LATENTS_PART]           = { .name = "part", .columns = c->heads * tokens },
        [ATTENTION_LATENTS_BELOW]          = { .name = "below_latents", .columns = tokens },
        [ATTENTION_LATENTS_ERROR]          = { .name = "below_error", .columns = tokens },
        [ATTENTION_LATENTS_BIAS]           = { .name = "below_bias", .columns = tokens },
        [ATTENTION_LATENTS_STRONGEST]      = { .name = "below_strongest", .columns = listed },
        [ATTENTION_LATENTS_STRONGEST_POSITION] =
            { .name = "below_strongest_position", .columns = listed },
        [ATTENTION_LATENTS_STRONGEST_LATENT] =
            { .name = "below_strongest_latent", .columns = listed },
    };

    memcpy(field, table, sizeof table);
    for (int f = 0; f < ATTENTION_LATENTS_FIELDS; f++)
        field[f].columns *= targets;
    return below ? ATTENTION_LATENTS_FIELDS : ATTENTION_LATENTS_BELOW;
}

double *attention_latents_values(const struct attention_latents *all,
                                 enum attention_latents_field field, int64_t prompt, int64_t target)
{
    const int64_t columns = all->field[field].columns;

    return all->results.values[field] + prompt * columns + target * (columns / all->targets);
}
