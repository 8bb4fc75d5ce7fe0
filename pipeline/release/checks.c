#include "release/checks.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/json_file.h"
#include "evaluate/scores.h"
#include "lm/safetensors.h"
#include "release/digests.h"
#include "release/manifest.h"
#include "sae/saelens.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char LIST[] = "SHA256SUMS";

enum { FOLDER_LONGEST = 200 };  /* bytes; release makes no longer name */

/* ---- files and SHA256SUMS --------------------------------------------------------- */

/* Compare the names of two sorted lists.  Prints each name that only one of them has, and returns
 * their number. */
static int64_t compare_names(struct run *run, const struct digests *listed,
                             const struct digests *found)
{
    int64_t differences = 0, l = 0, t = 0;

    while (l < listed->count || t < found->count) {
        const int order = l == listed->count ? 1 : t == found->count ? -1
                        : strcmp(listed->files[l].name, found->files[t].name);

        if (order < 0) {
            run_note(run, "missing: %s", listed->files[l].name);
            differences++;
        } else if (order > 0 && strcmp(found->files[t].name, LIST) != 0) {
            run_note(run, "not in %s: %s", LIST, found->files[t].name);
            differences++;
        }
        l += order <= 0;
        t += order >= 0;
    }
    return differences;
}

/* Print each file in both lists whose sums differ, and return their number. */
static int64_t compare_sums(struct run *run, const struct digests *listed,
                            const struct digests *found)
{
    int64_t differences = 0, t = 0;

    for (int64_t l = 0; l < listed->count; l++) {
        while (t < found->count && strcmp(found->files[t].name, listed->files[l].name) < 0)
            t++;
        if (t == found->count || strcmp(found->files[t].name, listed->files[l].name) != 0
            || strcmp(found->files[t].sum, listed->files[l].sum) == 0)
            continue;
        run_note(run, "changed: %s", listed->files[l].name);
        differences++;
    }
    return differences;
}

enum status checks_sums(struct run *run, const char *folder, int64_t *bytes)
{
    char path[PATH_LENGTH];
    struct digests listed = {0}, found = {0};
    int64_t differences;
    enum status st;

    path_print(path, "%s/%s", folder, LIST);
    TRY_ALL(run->comm, digests_read(&listed, path));
    TRY(digests_list(&found, run->comm, folder));
    TRY_ALL(run->comm, digests_bytes(bytes, &found, folder));
    TRY(digests_compute(&found, run->comm, folder));
    differences = compare_names(run, &listed, &found) + compare_sums(run, &listed, &found);
    REQUIRE(differences == 0, E_FORMAT, "%s is not the release that its %s describes: %lld of %lld "
            "files differ; fetch them again", folder, LIST, (long long)differences,
            (long long)listed.count);
done:
    digests_free(&found);
    digests_free(&listed);
    return st;
}

/* ---- manifest and folders --------------------------------------------------------- */

static const char *folder_of(const json_t *manifest, size_t index)
{
    const json_t *list = json_object_get(manifest, "autoencoders");

    return json_string_value(json_object_get(json_array_get(list, index), "folder"));
}

static size_t count_of(const json_t *manifest)
{
    return json_array_size(json_object_get(manifest, "autoencoders"));
}

static enum status check_manifest(const json_t *manifest, const char *path)
{
    const char *format = json_string_value(json_object_get(manifest, "format"));
    const json_int_t version = json_integer_value(json_object_get(manifest, "version"));

    enum status st;

    REQUIRE(format != NULL && strcmp(format, "saemill release") == 0, E_FORMAT,
            "%s is not the manifest of a saemill release", path);
    REQUIRE(version == MANIFEST_VERSION, E_FORMAT,
            "%s has version %lld; this program knows version "
            "%d",
            path, (long long)version, MANIFEST_VERSION);
    for (size_t i = 0; i < count_of(manifest); i++)
        REQUIRE(folder_of(manifest, i) != NULL && strlen(folder_of(manifest, i)) <= FOLDER_LONGEST,
                E_FORMAT, "%s names no usable folder for autoencoder %zu", path, i);
done:
    return st;
}

/* Is `file` the params.npz of an autoencoder in the manifest? */
static bool is_named(const json_t *manifest, const char *file)
{
    for (size_t i = 0; i < count_of(manifest); i++) {
        const char *folder = folder_of(manifest, i);
        const size_t length = strlen(folder);

        if (strncmp(file, folder, length) == 0 && strcmp(file + length, "/params.npz") == 0)
            return true;
    }
    return false;
}

enum status checks_manifest(json_t **manifest, struct run *run, const char *folder)
{
    char path[PATH_LENGTH];
    struct digests files = {0};
    size_t found = 0;
    enum status st;

    *manifest = NULL;
    path_print(path, "%s/manifest.json", folder);
    TRY_ALL(run->comm, json_file_read(manifest, path));
    TRY(check_manifest(*manifest, path));
    TRY(digests_list(&files, run->comm, folder));
    for (int64_t i = 0; i < files.count; i++) {
        const char *name = files.files[i].name, *npz = strstr(name, "/params.npz");

        if (npz == NULL)
            continue;
        REQUIRE(is_named(*manifest, name), E_FORMAT, "%s/%s is not in the manifest", folder, name);
        found++;
    }
    REQUIRE(found >= count_of(*manifest), E_FORMAT,
            "%s names %zu autoencoders, but %zu have a params.npz", path, count_of(*manifest),
            found);
done:
    digests_free(&files);
    return st;
}

/* ---- the forms of an autoencoder -------------------------------------------------- */

/* Check that the file has a tensor with this name, shape and these values. */
static enum status check_tensor(const struct safetensors *file,
                                const struct safetensors_array *wanted)
{
    const struct safetensor *tensor = safetensors_find(file, wanted->name);
    const int64_t count = safetensors_write_count(wanted);
    const char *path = file->tensors[0].path;
    float *read = NULL;
    enum status st;

    REQUIRE(tensor != NULL && tensor->type == TENSOR_F32 && tensor->count == count
            && tensor->shape[0] == wanted->rows && tensor->rank == (wanted->columns > 0 ? 2 : 1),
            E_FORMAT, "%s has no float32 tensor %s of the shape in the params.npz next to it", path,
            wanted->name);
    read = allocate(count, sizeof *read);
    TRY(safetensors_values(read, tensor));
    REQUIRE(memcmp(read, wanted->values, (size_t)count * sizeof *read) == 0, E_FORMAT,
            "%s and the params.npz next to it hold different numbers in %s", path, wanted->name);
done:
    free(read);
    return st;
}

/* Check that the safetensors file holds the tensors that `sae` gives, and no others. */
static enum status check_weights(const struct sae *sae, const char *path)
{
    struct safetensors file = {0};
    struct saelens_weights weights;
    enum status st;

    saelens_weights_make(&weights, sae);
    TRY(safetensors_open_file(&file, path));
    REQUIRE(file.count == weights.count, E_FORMAT,
            "%s has %lld tensors; the params.npz next to it corresponds to %d", path,
            (long long)file.count, weights.count);
    for (int i = 0; i < weights.count; i++)
        TRY(check_tensor(&file, &weights.tensors[i]));
done:
    safetensors_close(&file);
    saelens_weights_free(&weights);
    return st;
}

/* Compare with cfg.json, and set the form of `sae` from its architecture. */
static enum status check_config(struct sae *sae, const char *path)
{
    json_t *config = NULL;
    enum status st;

    TRY(json_file_read(&config, path));
    const char *architecture = json_string_value(json_object_get(config, "architecture"));
    REQUIRE(architecture != NULL && saelens_recognise(sae, architecture), E_FORMAT,
            "%s has an architecture, %s, that does not match the params.npz next to it", path,
            architecture == NULL ? "none" : architecture);
    REQUIRE(json_integer_value(json_object_get(config, "d_in")) == sae->inputs
            && json_integer_value(json_object_get(config, "d_sae")) == sae->latents
            && json_integer_value(json_object_get(config, "k")) == sae->keep, E_FORMAT,
            "%s has another d_in, d_sae or k than the params.npz next to it (%d, %d and %d)", path,
            sae->inputs, sae->latents, sae->keep);
done:
    json_decref(config);
    return st;
}

/* Check that the number in the folder's name is the rounded L0 of the scores. */
static enum status check_scores(const char *folder, const char *path)
{
    static const char PREFIX[] = "average_l0_";
    const char *name = strrchr(folder, '/');
    json_t *scores = NULL;
    enum status st;

    TRY(scores_read(&scores, path));
    name = name == NULL ? folder : name + 1;
    const double l0 = json_number_value(json_object_get(scores, "l0"));
    const bool named = strncmp(name, PREFIX, strlen(PREFIX)) == 0;
    REQUIRE(named && fabs(l0 - strtod(name + strlen(PREFIX), NULL)) <= 0.5, E_FORMAT,
            "%s says L0 %.2f, but its folder is %s", path, l0, name);
done:
    json_decref(scores);
    return st;
}

/* Local. */
static enum status verify_one(const char *folder, const char *name)
{
    char path[PATH_LENGTH];
    struct sae sae = {0};
    enum status st;

    path_print(path, "%s/%s/params.npz", folder, name);
    TRY(sae_read_npz(&sae, path));
    path_print(path, "%s/%s/cfg.json", folder, name);
    TRY(check_config(&sae, path));
    path_print(path, "%s/%s/sae_weights.safetensors", folder, name);
    TRY(check_weights(&sae, path));
    path_print(path, "%s/%s/scores.json", folder, name);
    TRY(check_scores(name, path));
done:
    sae_free(&sae);
    return st;
}

enum status checks_autoencoders(struct run *run, const char *folder, const json_t *manifest)
{
    const double since = MPI_Wtime();
    const size_t count = count_of(manifest);
    enum status st = OK;

    for (size_t i = (size_t)run->rank; i < count && st == OK; i += (size_t)run->size) {
        st = verify_one(folder, folder_of(manifest, i));
        run_progress(run, "loading", since, 0, (int64_t)i + 1, (int64_t)count, "autoencoders");
    }
    return agree(run->comm, st);
}
