#include "base/allocate.h"
#include "heads/latent_heads.h"
#include "methods/attention_latents.h"
#include "methods/task_files.h"
#include "suite/paths.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How many prompts, and how many parts of each, the JSON lists of a latent. */
enum { VERSION = 1, PROMPTS_LISTED = 5, PARTS_LISTED = 5 };

static const struct sae *own_sae(const struct attention_latents *all, int site)
{
    return &all->saes[all->site[site].own].sae;
}

/* --- HDF5 ---------------------------------------------------------------------------- */

/* Is it a position, or a number of a latent? */
static bool is_whole(int field)
{
    return field == ATTENTION_LATENTS_POSITION || field >= ATTENTION_LATENTS_STRONGEST_POSITION;
}

static enum status write_whole(hid_t file, const char *path, const struct field *field,
                               const double *values, int64_t prompts)
{
    const int64_t count = prompts * field->columns;
    int32_t *numbers = allocate(count, sizeof *numbers);

    for (int64_t i = 0; i < count; i++)
        numbers[i] = (int32_t)values[i];
    const enum status st = h5_write_array(file, path, field->name, H5T_NATIVE_INT32, numbers,
                                          prompts, field->columns);
    free(numbers);
    return st;
}

static enum status write_results(hid_t file, const char *path, const struct attention_latents *all,
                                 int64_t prompts)
{
    enum status st = OK;

    for (int f = 0; f < all->results.count; f++) {
        const struct field *field = &all->field[f];
        const double *values = all->results.values[f];
        if (is_whole(f))
            TRY(write_whole(file, path, field, values, prompts));
        else
            TRY(h5_write_array(file, path, field->name, H5T_NATIVE_DOUBLE, values, prompts,
                               field->columns));
    }
done:
    return st;
}

/* Which latents they are: the number of the autoencoder in "autoencoders", and the latent's. */
static enum status write_targets(hid_t file, const char *path, const struct attention_latents *all)
{
    int32_t *pairs = allocate(2 * all->targets, sizeof *pairs);

    for (int64_t t = 0; t < all->targets; t++) {
        pairs[2 * t] = all->target[t].site;
        pairs[2 * t + 1] = all->target[t].latent;
    }
    const enum status st = h5_write_array(file, path, "latent", H5T_NATIVE_INT32, pairs,
                                          all->targets, 2);
    free(pairs);
    return st;
}

/* The names of the autoencoders of attn, with a space between. */
static enum status write_names(hid_t file, const char *path, const struct attention_latents *all)
{
    char *names = allocate(all->sites * (int64_t)CHOSEN_SAES_NAME + 1, 1);

    for (int s = 0; s < all->sites; s++) {
        strcat(names, s > 0 ? " " : "");
        strcat(names, all->chosen->sae[all->site[s].own].name);
    }
    const enum status st = h5_write_text(file, path, "autoencoders", names);
    free(names);
    return st;
}

/* The shares of heads in the latents of all sites, side by side, and where those of each begin. */
static enum status write_shares(hid_t file, const char *path, const struct attention_latents *all,
                                int32_t heads)
{
    int64_t *first = allocate(all->sites + 1, sizeof *first);
    enum status st;

    for (int s = 0; s < all->sites; s++)
        first[s + 1] = first[s] + own_sae(all, s)->latents;
    double *share = allocate(first[all->sites] * heads, sizeof *share);
    for (int s = 0; s < all->sites; s++)
        latent_heads_shares(share + first[s] * heads, own_sae(all, s), heads);
    TRY(h5_write_array(file, path, "share", H5T_NATIVE_DOUBLE, share, first[all->sites], heads));
    TRY(h5_write_array(file, path, "first", H5T_NATIVE_INT64, first, all->sites + 1, 0));
done:
    free(share);
    free(first);
    return st;
}

static enum status write_tables(const struct attention_latents *all, const struct circuit *circuit,
                                const char *path)
{
    char part[PATH_LENGTH];
    hid_t file = -1;
    enum status st;

    TRY(task_files_create(&file, part, path, circuit, "saemill attention latents", VERSION));
    TRY(write_names(file, part, all));
    TRY(task_files_write_prompts(file, part, circuit->prompts));
    TRY(write_shares(file, part, all, circuit->config->heads));
    TRY(write_targets(file, part, all));
    TRY(write_results(file, part, all, circuit->prompts->count));
done:
    return task_files_publish(&file, part, path, st);
}

/* --- JSON: heads --------------------------------------------------------------------- */

/* "2.4" of head 4 at a site of layer 2. */
static json_t *head_json(const struct attention_latents *all, const struct circuit *circuit,
                         int site, int64_t head)
{
    return task_files_head(circuit->config,
                           (int64_t)all->saes[all->site[site].own].tap.layer
                           * circuit->config->heads + head);
}

/* In how many latents the head has the largest share, and in how many more than half. */
static void count_latents(json_t *object, const double *share, int32_t latents, int32_t heads,
                          int32_t head)
{
    json_int_t largest = 0, most = 0;
    double sum = 0;

    for (int32_t i = 0; i < latents; i++) {
        const double *row = share + (int64_t)i * heads;
        bool leads = row[head] > 0;
        for (int32_t k = 0; k < heads; k++)
            leads = leads && (k < head ? row[head] > row[k] : row[head] >= row[k]);
        largest += leads;
        most += row[head] > 0.5;
        sum += row[head];
    }
    task_files_put(object, "mean_share", sum / latents);
    json_object_set_new(object, "largest_in", json_integer(largest));
    json_object_set_new(object, "more_than_half_in", json_integer(most));
}

/* A head, its strongest latents, and the number of their directions. */
static json_t *share_json(const struct attention_latents *all, const struct circuit *circuit,
                          int site, int32_t head, const double *share, double *directions)
{
    const struct sae *sae = own_sae(all, site);
    const int32_t heads = circuit->config->heads;
    int32_t latent[ATTENTION_LATENTS_LISTED];
    json_t *object = json_object(), *list = json_array();
    const int32_t count = latent_heads_strongest(latent, ATTENTION_LATENTS_LISTED, share,
                                                 sae->latents, heads, head);

    for (int32_t i = 0; i < count; i++) {
        json_t *one = json_object();
        json_object_set_new(one, "latent", json_integer(latent[i]));
        task_files_put(one, "share", share[(int64_t)latent[i] * heads + head]);
        json_array_append_new(list, one);
    }
    *directions = latent_heads_directions(sae, heads, head, latent, count);
    json_object_set_new(object, "head", head_json(all, circuit, site, head));
    count_latents(object, share, sae->latents, heads, head);
    task_files_put(object, "directions", *directions);
    json_object_set_new(object, "strongest", list);
    return object;
}

/* The heads of an autoencoder, and how many have strongest latents of several directions. */
static json_t *site_json(const struct attention_latents *all, const struct circuit *circuit,
                         int site)
{
    const struct sae *sae = own_sae(all, site);
    const int32_t heads = circuit->config->heads;
    double *share = allocate((int64_t)sae->latents * heads, sizeof *share), directions;
    json_t *object = json_object(), *list = json_array();
    json_int_t several = 0;

    latent_heads_shares(share, sae, heads);
    for (int32_t k = 0; k < heads; k++) {
        json_array_append_new(list, share_json(all, circuit, site, k, share, &directions));
        several += directions >= 2;
    }
    json_object_set_new(object, "autoencoder",
                        json_string(all->chosen->sae[all->site[site].own].name));
    json_object_set_new(object, "heads_of_several_directions", json_integer(several));
    json_object_set_new(object, "heads", list);
    free(share);
    return object;
}

/* --- JSON: latents ------------------------------------------------------------------- */

/* The strongest parts of heads and source tokens on a prompt. */
static json_t *parts_json(const struct attention_latents *all, const struct circuit *circuit,
                          int64_t prompt, int64_t t)
{
    const int64_t tokens = circuit->prompts->tokens;
    const double *part = attention_latents_values(all, ATTENTION_LATENTS_PART, prompt, t);
    json_t *list = json_array();
    int64_t place[PARTS_LISTED];
    const int found = attention_latents_strongest(place, PARTS_LISTED, part,
                                                  circuit->config->heads * tokens);

    for (int i = 0; i < found; i++) {
        json_t *one = json_object();
        json_object_set_new(one, "head",
                            head_json(all, circuit, all->target[t].site, place[i] / tokens));
        json_object_set_new(one, "position", json_integer(place[i] % tokens));
        task_files_put(one, "part", part[place[i]]);
        json_array_append_new(list, one);
    }
    return list;
}

static double sum_of(const double *values, int64_t count)
{
    double sum = 0;

    for (int64_t i = 0; i < count; i++)
        sum += values[i];
    return sum;
}

/* What the stream below adds on a prompt, and its strongest latents. */
static json_t *below_json(const struct attention_latents *all, int64_t tokens, int64_t prompt,
                          int64_t t)
{
    const double *part = attention_latents_values(all, ATTENTION_LATENTS_STRONGEST, prompt, t);
    const double *position =
        attention_latents_values(all, ATTENTION_LATENTS_STRONGEST_POSITION, prompt, t);
    const double *latent =
        attention_latents_values(all, ATTENTION_LATENTS_STRONGEST_LATENT, prompt, t);
    json_t *object = json_object(), *list = json_array();

    task_files_put(object, "latents",
                   sum_of(attention_latents_values(all, ATTENTION_LATENTS_BELOW, prompt, t),
                          tokens));
    task_files_put(object, "error",
                   sum_of(attention_latents_values(all, ATTENTION_LATENTS_ERROR, prompt, t),
                          tokens));
    task_files_put(object, "bias",
                   sum_of(attention_latents_values(all, ATTENTION_LATENTS_BIAS, prompt, t),
                          tokens));
    for (int i = 0; i < ATTENTION_LATENTS_LISTED && position[i] >= 0; i++) {
        json_t *one = json_object();
        json_object_set_new(one, "position", json_integer((json_int_t)position[i]));
        json_object_set_new(one, "latent", json_integer((json_int_t)latent[i]));
        task_files_put(one, "part", part[i]);
        json_array_append_new(list, one);
    }
    json_object_set_new(object, "strongest", list);
    return object;
}

/* A latent on a prompt. */
static json_t *prompt_json(const struct attention_latents *all, const struct circuit *circuit,
                           int64_t prompt, int64_t t)
{
    json_t *object = json_object();

    json_object_set_new(object, "prompt", json_integer(prompt));
    json_object_set_new(object, "position", json_integer((json_int_t)*attention_latents_values(
                                                all, ATTENTION_LATENTS_POSITION, prompt, t)));
    for (int f = ATTENTION_LATENTS_PRE_ACTIVATION; f <= ATTENTION_LATENTS_ACTIVATION; f++)
        task_files_put(object, all->field[f].name,
                       *attention_latents_values(all, (enum attention_latents_field)f, prompt, t));
    json_object_set_new(object, "parts", parts_json(all, circuit, prompt, t));
    if (all->site[all->target[t].site].below >= 0)
        json_object_set_new(object, "below",
                            below_json(all, circuit->prompts->tokens, prompt, t));
    return object;
}

/* The prompts on which a latent is strongest, by its pre-activation. */
static json_t *prompts_json(const struct attention_latents *all, const struct circuit *circuit,
                            int64_t t)
{
    const int64_t count = circuit->prompts->count;
    bool *listed = allocate(count, sizeof *listed);
    json_t *list = json_array();

    for (int n = 0; n < PROMPTS_LISTED && n < count; n++) {
        double largest = -INFINITY;
        int64_t best = 0;
        for (int64_t p = 0; p < count; p++) {
            const double pi =
                *attention_latents_values(all, ATTENTION_LATENTS_PRE_ACTIVATION, p, t);
            if (!listed[p] && pi > largest) {
                largest = pi;
                best = p;
            }
        }
        listed[best] = true;
        json_array_append_new(list, prompt_json(all, circuit, best, t));
    }
    free(listed);
    return list;
}

/* The mean part of each head over prompts, and its share in the decoder row. */
static json_t *heads_json(const struct attention_latents *all, const struct circuit *circuit,
                          int64_t t)
{
    const struct attention_latents_target *target = &all->target[t];
    const int32_t heads = circuit->config->heads;
    const int64_t count = circuit->prompts->count;
    double *share = allocate(heads, sizeof *share);
    json_t *list = json_array();

    latent_heads_share(share, own_sae(all, target->site), target->latent, heads);
    for (int32_t k = 0; k < heads; k++) {
        json_t *head = json_object();
        double sum = 0;
        for (int64_t p = 0; p < count; p++)
            sum += attention_latents_values(all, ATTENTION_LATENTS_HEAD, p, t)[k];
        json_object_set_new(head, "head", head_json(all, circuit, target->site, k));
        task_files_put(head, "part", sum / (double)count);
        task_files_put(head, "share", share[k]);
        json_array_append_new(list, head);
    }
    free(share);
    return list;
}

static json_t *latent_json(const struct attention_latents *all, const struct circuit *circuit,
                           int64_t t)
{
    const struct attention_latents_target *target = &all->target[t];
    const int64_t count = circuit->prompts->count;
    json_t *object = json_object();
    json_int_t active = 0;

    for (int64_t p = 0; p < count; p++)
        active += *attention_latents_values(all, ATTENTION_LATENTS_ACTIVATION, p, t) > 0;
    json_object_set_new(object, "autoencoder",
                        json_string(all->chosen->sae[all->site[target->site].own].name));
    json_object_set_new(object, "latent", json_integer(target->latent));
    json_object_set_new(object, "active", json_integer(active));
    task_files_put(object, "bias", (double)target->reader.bias);
    json_object_set_new(object, "heads", heads_json(all, circuit, t));
    json_object_set_new(object, "strongest", prompts_json(all, circuit, t));
    return object;
}

static json_t *summary_json(const struct attention_latents *all, const struct circuit *circuit)
{
    json_t *object = task_files_summary(circuit), *saes = json_array(), *latents = json_array();

    for (int s = 0; s < all->sites; s++)
        json_array_append_new(saes, site_json(all, circuit, s));
    for (int64_t t = 0; t < all->targets; t++)
        json_array_append_new(latents, latent_json(all, circuit, t));
    json_object_set_new(object, "prompts", json_integer(circuit->prompts->count));
    json_object_set_new(object, "autoencoders", saes);
    json_object_set_new(object, "latents", latents);
    return object;
}

enum status attention_latents_write(const struct attention_latents *all,
                                    const struct circuit *circuit, const char *name)
{
    json_t *summary = NULL;
    char path[PATH_LENGTH];
    enum status st;

    paths_result(path, circuit->suite, name, ".h5");
    TRY(write_tables(all, circuit, path));
    summary = summary_json(all, circuit);
    TRY(attention_latents_page_write(all, circuit, name, summary));
    TRY(task_files_write(circuit, name, json_incref(summary)));
done:
    json_decref(summary);
    return st;
}
