#include "methods/latents_files.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "circuit/eap.h"
#include "methods/task_files.h"
#include "suite/paths.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1, STRONGEST = 100 };

static int64_t nodes_of(const struct latents_results *results)
{
    return latent_circuit_nodes(&results->nodes->setup);
}

/* --- HDF5 -------------------------------------------------------------------------------- */

/* All names, with a space between.  Caller frees. */
static char *list_names(const struct chosen_saes *chosen)
{
    char *names = allocate(chosen->count * (int64_t)CHOSEN_SAES_NAME + 1, 1);

    for (int i = 0; i < chosen->count; i++) {
        strcat(names, i > 0 ? " " : "");
        strcat(names, chosen->sae[i].name);
    }
    return names;
}

static enum status write_attributes(hid_t file, const char *part, const struct latents_results *r)
{
    char *names = list_names(r->chosen);
    enum status st;

    TRY(h5_write_text(file, part, "autoencoders", names));
    TRY(h5_write_double(file, part, "clean", r->nodes->clean));
    TRY(h5_write_double(file, part, "corrupted", r->nodes->corrupted));
done:
    free(names);
    return st;
}

static enum status write_table(const struct circuit *circuit, const char *path,
                               const struct latents_results *r)
{
    const hid_t ints = H5T_NATIVE_INT64, doubles = H5T_NATIVE_DOUBLE;
    char part[PATH_LENGTH];
    hid_t file = -1;
    enum status st;

    TRY(task_files_create(&file, part, path, circuit, "saemill latents", VERSION));
    TRY(write_attributes(file, part, r));
    TRY(h5_write_array(file, part, "first", ints, r->nodes->first, r->chosen->count + 1, 0));
    TRY(h5_write_array(file, part, "score", doubles, r->scores, nodes_of(r), 0));
    TRY(h5_write_array(file, part, "effect_node", ints, r->order, r->samples, 0));
    TRY(h5_write_array(file, part, "effect", doubles, r->effects, r->samples, 0));
    TRY(h5_write_array(file, part, "kept", ints, r->kept, r->sizes, 0));
    TRY(h5_write_array(file, part, "value", doubles, r->values, r->sizes, 0));
done:
    return task_files_publish(&file, part, path, st);
}

/* --- JSON -------------------------------------------------------------------------------- */

/* A node and its score: "latent" is a number or "error". */
static json_t *node_json(const struct latents_results *r, int64_t node)
{
    const int site = latent_circuit_site(r->nodes, node);
    const bool error = node + 1 == r->nodes->first[site + 1];
    json_t *object = json_object();

    json_object_set_new(object, "autoencoder", json_string(r->chosen->sae[site].name));
    json_object_set_new(object, "latent", error ? json_string("error")
                                                : json_integer(node - r->nodes->first[site]));
    task_files_put(object, "score", r->scores[node]);
    return object;
}

/* Of each autoencoder: the sum of its latents' scores, of their sizes, and the error's score. */
static json_t *sites_json(const struct latents_results *r)
{
    json_t *list = json_array();

    for (int s = 0; s < r->chosen->count; s++) {
        const int64_t error = r->nodes->first[s + 1] - 1;
        json_t *site = json_object();
        double sum = 0, absolute = 0;
        for (int64_t i = r->nodes->first[s]; i < error; i++) {
            sum += r->scores[i];
            absolute += fabs(r->scores[i]);
        }
        json_object_set_new(site, "autoencoder", json_string(r->chosen->sae[s].name));
        task_files_put(site, "latents", sum);
        task_files_put(site, "latents_absolute", absolute);
        task_files_put(site, "error", r->scores[error]);
        json_array_append_new(list, site);
    }
    return list;
}

static json_t *strongest_json(const struct latents_results *r)
{
    json_t *list = json_array();

    for (int64_t i = 0; i < min_int64(STRONGEST, nodes_of(r)); i++)
        json_array_append_new(list, node_json(r, r->order[i]));
    return list;
}

/* What it does not to keep the strongest, and how well scores predict it. */
static json_t *sample_json(const struct latents_results *r)
{
    double *scores = allocate(r->samples, sizeof *scores);
    json_t *object = json_object(), *list = json_array();

    for (int64_t i = 0; i < r->samples; i++) {
        json_t *node = node_json(r, r->order[i]);
        scores[i] = r->scores[r->order[i]];
        task_files_put(node, "effect", r->effects[i]);
        json_array_append_new(list, node);
    }
    const struct eap_fit fit = eap_fit(r->effects, scores, r->samples);
    json_object_set_new(object, "nodes", list);
    task_files_put(object, "slope", fit.slope);
    task_files_put(object, "r2", fit.r2);
    free(scores);
    return object;
}

/* (m(C) - m(none)) / (m(all) - m(none)) for each size. */
static json_t *faithfulness_json(const struct latents_results *r)
{
    const double none = r->values[0], all = r->values[r->sizes - 1];
    json_t *list = json_array();

    for (int64_t i = 0; i < r->sizes; i++) {
        json_t *size = json_object();
        json_object_set_new(size, "nodes", json_integer(r->kept[i]));
        task_files_put(size, "value", r->values[i]);
        task_files_put(size, "faithfulness", (r->values[i] - none) / (all - none));
        json_array_append_new(list, size);
    }
    return list;
}

static json_t *summary_json(const struct circuit *circuit, const struct latents_results *r)
{
    json_t *object = task_files_summary(circuit);

    json_object_set_new(object, "metric",
                        json_string(metric_name(circuit->suite->circuit.metric)));
    json_object_set_new(object, "prompts", json_integer(circuit->prompts->count));
    task_files_put(object, "clean", r->nodes->clean);
    task_files_put(object, "corrupted", r->nodes->corrupted);
    json_object_set_new(object, "sites", sites_json(r));
    json_object_set_new(object, "strongest", strongest_json(r));
    if (r->samples > 0)
        json_object_set_new(object, "sample", sample_json(r));
    json_object_set_new(object, "faithfulness", faithfulness_json(r));
    return object;
}

enum status latents_files_write(const struct circuit *circuit, const char *name,
                                const struct latents_results *results)
{
    json_t *summary = NULL;
    char path[PATH_LENGTH];
    enum status st;

    paths_result(path, circuit->suite, name, ".h5");
    TRY(write_table(circuit, path, results));
    summary = summary_json(circuit, results);
    TRY(latents_files_write_page(circuit, name, summary));
    TRY(task_files_write(circuit, name, json_incref(summary)));
done:
    json_decref(summary);
    return st;
}
