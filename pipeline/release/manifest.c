#include "release/manifest.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/die.h"
#include "base/utf8.h"
#include "base/version.h"
#include "base/walk.h"
#include "corpus/corpus.h"
#include "corpus/selection.h"
#include "corpus/tokenizer.h"
#include "release/digests.h"
#include "release/plot.h"
#include "shard/maker.h"

#include <cblas.h>
#include <gnu/libc-version.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>
#include <zstd.h>

/* The norm that rows of mlp_in come from. */
static const char RMS_NORM[] = "RMSNorm", LAYER_NORM[] = "LayerNorm", NO_NORM[] = "none";

static const char *norm_name(const struct lm_config *model)
{
    return !model->pre_norms ? NO_NORM : model->norm == LM_NORM_RMS ? RMS_NORM : LAYER_NORM;
}

/* ---- inputs --------------------------------------------------------------------- */

/* Append the weights that lie in the model's folder. */
static enum status append_weights(struct digests *files, const char *folder)
{
    char path[PATH_LENGTH];
    struct walk_names names = {0};
    enum status st;

    TRY(walk_names(&names, folder));
    for (int64_t i = 0; i < names.count; i++)
        if (path_ends(names.name[i], ".safetensors")) {
            path_print(path, "%s/%s", folder, names.name[i]);
            digests_append(files, path);
        }
done:
    walk_names_free(&names);
    return st;
}

/* List the files of the model, then those of the corpus.  *model is the number of the former.
 * Local. */
static enum status list_inputs(struct digests *files, int64_t *model, const struct suite *suite,
                               const struct corpus *corpus)
{
    char path[PATH_LENGTH];
    enum status st;

    path_print(path, "%s/config.json", suite->model.path);
    digests_append(files, path);
    TRY(append_weights(files, suite->model.path));
    tokenizer_path(path, suite->model.tokenizer, suite->model.path);
    if (file_exists(path))
        digests_append(files, path);
    *model = files->count;
    for (int i = 0; i < corpus->files; i++)
        digests_append(files, corpus->paths[i]);
done:
    return st;
}

/* {"name", "bytes", "sha256"} of a file.  What is no UTF-8 in its name, as JSON demands, becomes
 * U+FFFD; the sum tells which file it is. */
static json_t *file_json(const struct digest *file, int64_t bytes)
{
    char name[PATH_NAME];
    int64_t length;

    path_name(name, file->name);
    char *clean = utf8_clean(name, (int64_t)strlen(name), &length);
    json_t *json = json_pack("{s:s%, s:I, s:s}", "name", clean, (size_t)length, "bytes",
                             (json_int_t)bytes, "sha256", file->sum);

    free(clean);
    if (json == NULL)
        die_as(E_IO, "bug: the file %s has no place in a manifest", file->name);
    return json;
}

/* A list of files `first` to `end`. */
static json_t *files_json(const struct digests *files, int64_t first, int64_t end)
{
    json_t *list = json_array();

    for (int64_t i = first; i < end; i++) {
        int64_t bytes = 0;

        if (file_size(files->files[i].name, &bytes) != OK)
            refuse_clear();     /* it existed when it was hashed */
        json_array_append_new(list, file_json(&files->files[i], bytes));
    }
    return list;
}

/* ---- this program and this machine ---------------------------------------------- */

/* {name: version} of the libraries that the results may depend on. */
static json_t *libraries_json(const char *gnuplot)
{
    char mpi[MPI_MAX_LIBRARY_VERSION_STRING], hdf5[32];
    unsigned major, minor, release;
    int length;

    MPI_Get_library_version(mpi, &length);
    mpi[strcspn(mpi, ",\n")] = '\0';
    H5get_libversion(&major, &minor, &release);
    snprintf(hdf5, sizeof hdf5, "%u.%u.%u", major, minor, release);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}",
                     "C library", gnu_get_libc_version(), "compiler", __VERSION__, "HDF5", hdf5,
                     "MPI", mpi, "BLAS", openblas_get_config(), "zstd", ZSTD_versionString(),
                     "jansson", jansson_version_str(), "libzip", zip_libzip_version(),
                     "libcrypto", OpenSSL_version(OPENSSL_VERSION), "gnuplot", gnuplot);
}

/* The suite without the path of the run folder. */
static json_t *suite_json(const struct suite *suite)
{
    const char *rest = suite->text;
    char *text = allocate((long long)strlen(rest) + 1, 1);
    size_t length = 0;
    json_t *json;

    while (*rest != '\0') {
        const size_t line = strcspn(rest, "\n") + (strchr(rest, '\n') != NULL);

        if (strncmp(rest, "run:", 4) != 0) {
            memcpy(text + length, rest, line);
            length += line;
        }
        rest += line;
    }
    json = json_stringn(text, length);
    free(text);
    return json;
}

/* ---- the whole ------------------------------------------------------------------ */

json_t *manifest_autoencoders(const struct entries *entries)
{
    json_t *list = json_array();

    for (int i = 0; i < entries->count; i++) {
        const struct entry *e = &entries->entry[i];
        const bool target = e->sae.target_l0 > 0;

        json_array_append_new(list, json_pack(
            "{s:s, s:s, s:s, s:i, s:s, s:i, s:s, s:f, s:I}", "folder", e->folder, "site",
            site_name(e->tap.site), "target", site_name(e->sae.target.site), "layer",
            e->tap.layer, "recipe", ARCHITECTURES[e->sae.architecture].name,
            "width", (int)e->sae.width, "name",
            e->sae.name, target ? "target_l0" : "sparsity",
            target ? e->sae.target_l0 : e->sae.sparsity, "tokens", (json_int_t)e->sae.tokens));
    }
    return list;
}

enum status manifest_make(json_t **manifest, MPI_Comm comm, const struct suite *suite,
                          const struct lm_config *model, const struct entries *entries)
{
    struct corpus corpus = {0};
    struct digests inputs = {0};
    int64_t of_model = 0, sequences[TOKENS_PARTS] = {0};
    char gnuplot[64] = "", name[PATH_NAME];
    enum status st;

    *manifest = NULL;
    TRY_ROOT(comm, plot_version(gnuplot));
    MPI_Bcast(gnuplot, sizeof gnuplot, MPI_CHAR, 0, comm);
    TRY_ALL(comm, corpus_list(&corpus, suite->corpus.files, suite->corpus.files_count));
    TRY_ALL(comm, selection_count(sequences, suite));
    TRY_ALL(comm, list_inputs(&inputs, &of_model, suite, &corpus));
    TRY(digests_compute(&inputs, comm, NULL));

    path_name(name, suite->model.path);
    *manifest = json_pack(
        "{s:s, s:i, s:s, s:{s:s, s:i, s:s, s:o}, s:{s:I, s:I, s:I, s:o}, s:{s:I, s:I, s:I, s:I}, "
        "s:{s:s, s:s, s:s}, s:o, s:o, s:o}",
        "format", "saemill release", "version", MANIFEST_VERSION, "name", suite->name,
        "model", "name", name, "layers", (int)model->layers, "norm",
        norm_name(model), "files", files_json(&inputs, 0, of_model),
        "corpus", "context", (json_int_t)suite->corpus.context,
        "sequences_train", (json_int_t)sequences[TOKENS_TRAIN],
        "sequences_holdout", (json_int_t)sequences[TOKENS_HOLDOUT],
        "files", files_json(&inputs, of_model, inputs.count),
        "seeds", "harvest", (json_int_t)suite->harvest.seed,
        "shuffle", (json_int_t)suite->shuffle.seed, "train", (json_int_t)suite->train.seed,
        "evaluate", (json_int_t)suite->evaluate.seed,
        "build", "commit", version_commit(), "cpu", maker_cpu(), "kernels",
        maker_kernels(),
        "libraries", libraries_json(gnuplot), "suite", suite_json(suite),
        "autoencoders", manifest_autoencoders(entries));
    if (*manifest == NULL)
        die("bug: a manifest that JSON cannot hold, or no memory");
done:
    digests_free(&inputs);
    corpus_free(&corpus);
    return st;
}

char *manifest_text(const json_t *manifest)
{
    char *text = json_dumps(manifest, JSON_INDENT(1));

    if (text == NULL)
        die("no memory for a manifest");
    return text;
}

enum status manifest_write(const json_t *manifest, const char *path)
{
    char *text = manifest_text(manifest);
    const enum status st = file_write(path, text, (int64_t)strlen(text));

    free(text);
    return st;
}

/* ---- reading -------------------------------------------------------------------- */

enum status manifest_suite(struct suite *suite, const char *folder, const json_t *manifest)
{
    const char *text = json_string_value(json_object_get(manifest, "suite"));
    char path[PATH_LENGTH];
    enum status st;

    path_print(path, "%s/manifest.json", folder);
    REQUIRE(text != NULL, E_FORMAT, "%s has no suite", path);
    TRY(suite_parse(suite, text, path));
    path_above(path, folder);
    free(suite->run);
    suite->run = strdup(path);
    if (suite->run == NULL)
        die("no memory for the path %s", path);
done:
    return st;
}

enum status manifest_origin(struct saelens_origin *origin, const json_t *manifest,
                            const struct entry *entry)
{
    const json_t *model = json_object_get(manifest, "model");
    const char *norm = json_string_value(json_object_get(model, "norm"));
    enum status st;

    *origin = (struct saelens_origin){
        .model = json_string_value(json_object_get(model, "name")),
        .tap = entry->tap,
        .target = entry->sae.target,
        .context = json_integer_value(json_object_get(json_object_get(manifest, "corpus"),
                                                      "context")),
    };
    REQUIRE(origin->model != NULL && norm != NULL
                && (strcmp(norm, RMS_NORM) == 0 || strcmp(norm, LAYER_NORM) == 0
                    || strcmp(norm, NO_NORM) == 0),
            E_FORMAT, "the manifest does not say the model's name and norm");
    origin->rms_norm = strcmp(norm, RMS_NORM) == 0;
done:
    return st;
}
