/* parsers -- each parser of foreign bytes, for libFuzzer.
 *
 *   FUZZ_PARSER=safetensors build/fuzz/parsers -runs=1000 CORPUS
 *
 * What libFuzzer makes becomes a file, which is read as a stage reads it.  It may be refused, with
 * a reason; it may not crash, hang, or be refused without a reason.  The parsers whose names begin
 * with "h5-" take well-formed HDF5 files: the bytes are changes (struct edit) to attributes and
 * data sets of the file FUZZ_TEMPLATE.
 */
#include "base/die.h"
#include "corpus/documents.h"
#include "corpus/tokenizer.h"
#include "lm/config.h"
#include "lm/safetensors.h"
#include "release/digests.h"
#include "release/manifest.h"
#include "sae/saefile.h"
#include "shard/activations.h"
#include "shard/tokens.h"
#include "suite/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum {
    ROWS = 64,          /* that are read of a shard */
    CONTEXT = 32,       /* that of the campaign's suite */
};

static char folder[64] = "/tmp/saemill-fuzz-XXXXXX";
static char path[PATH_LENGTH];
static char *template;
static size_t template_size;

/* --- texts and headers ------------------------------------------------------------------- */

static enum status parse_safetensors(void)
{
    struct safetensors file = {0};
    const enum status st = safetensors_open_file(&file, path);

    safetensors_close(&file);
    return st;
}

static enum status parse_config(void)
{
    struct lm_config config = {0};

    return config_read(&config, folder);
}

static enum status parse_tokenizer(void)
{
    static const char text[] = "The 1st of May\n\tisn't far. \xe2\x82\xac";
    struct tokenizer tokenizer = {0};
    int32_t *ids = NULL;
    char *again = NULL;
    int64_t count, bytes;
    enum status st;

    TRY(tokenizer_open(&tokenizer, path));
    TRY(tokenizer_encode(&tokenizer, text, sizeof text - 1, &ids, &count));
    TRY(tokenizer_decode(&tokenizer, ids, count, &again, &bytes));
done:
    free(again);
    free(ids);
    tokenizer_close(&tokenizer);
    return st;
}

static enum status parse_suite(void)
{
    struct suite suite = {0};
    char *text = NULL;
    int64_t size;
    enum status st;

    TRY(file_read(path, &text, &size));
    TRY(suite_parse(&suite, text, path));
done:
    suite_free(&suite);
    free(text);
    return st;
}

static enum status read_documents(bool chat)
{
    struct documents documents = {0};
    const char *text = path;
    int64_t bytes;
    enum status st;

    TRY(documents_open(&documents, path, 0.5, chat));
    while (text != NULL)
        TRY(documents_next(&documents, &text, &bytes));
done:
    documents_close(&documents);
    return st;
}

static enum status parse_documents(void)
{
    return read_documents(false);
}

static enum status parse_chats(void)
{
    return read_documents(true);
}

static enum status parse_npz(void)
{
    struct sae sae = {0};
    const enum status st = sae_read_npz(&sae, path);

    sae_free(&sae);
    return st;
}

static enum status parse_manifest(void)
{
    struct suite suite = {0};
    json_t *manifest = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    enum status st;

    REQUIRE(manifest != NULL, E_FORMAT, "not JSON");
    TRY(manifest_suite(&suite, folder, manifest));
done:
    suite_free(&suite);
    json_decref(manifest);
    return st;
}

static enum status parse_sums(void)
{
    struct digests digests = {0};
    const enum status st = digests_read(&digests, path);

    digests_free(&digests);
    return st;
}

/* --- HDF5 ------------------------------------------------------------------------------ */

/* A change: `object` and `name` choose among those that there are, `kind` says what comes in the
 * place of the attribute or data set. */
struct edit {
    uint8_t kind, object, name, rank;
    uint8_t value[8];
};

enum { OBJECTS = 32, EDITS = 8, KINDS = 8 };

static char objects[OBJECTS][64];       /* names of the template's data sets, "/" first */
static unsigned object_count;

static herr_t keep_object(hid_t file, const char *name, const H5O_info_t *info, void *context)
{
    (void)file;
    (void)info;
    (void)context;
    if (object_count < OBJECTS)
        snprintf(objects[object_count++], sizeof *objects, "%s", name);
    return 0;
}

static void replace_attribute(hid_t object, const struct edit *edit)
{
    const hid_t types[KINDS / 2] = { H5T_STD_I64LE, H5T_IEEE_F64LE, H5T_C_S1, H5T_STD_U8LE };
    const int count = H5Aget_num_attrs(object);
    char name[128];
    uint64_t value;

    memcpy(&value, edit->value, sizeof value);
    if (count <= 0 || H5Aget_name_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC,
                                         (hsize_t)(edit->name % count), name, sizeof name,
                                         H5P_DEFAULT) < 0)
        return;
    H5Adelete(object, name);
    if (edit->kind % 2 == 1)
        return;
    const hid_t type = H5Tcopy(types[edit->kind / 2 % (KINDS / 2)]);
    if (H5Tget_class(type) == H5T_STRING)
        H5Tset_size(type, sizeof value);
    const hsize_t one = 1 + edit->rank / 2 % 2;
    const hid_t space = edit->rank % 2 ? H5Screate_simple(1, &one, NULL) : H5Screate(H5S_SCALAR);
    const hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const uint64_t values[2] = { value, value };
    H5Awrite(attribute, type, values);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
}

/* Nothing is written, so it may be large. */
static void replace_set(hid_t file, const char *name, const struct edit *edit)
{
    const hid_t types[KINDS / 2] = { H5T_STD_I64LE, H5T_IEEE_F32LE, H5T_STD_I32LE, h5_bf16() };
    hsize_t dims[3] = { edit->value[0] | (hsize_t)edit->value[1] << (edit->value[2] % 40),
                        edit->value[3], edit->value[4] };
    hsize_t chunk[3] = { 1 + edit->value[5], 1 + edit->value[6], 1 + edit->value[7] };

    H5Ldelete(file, name, H5P_DEFAULT);
    if (edit->kind % 2 == 1)
        return;
    const hid_t space = H5Screate_simple(edit->rank % 4, dims, NULL);
    const hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    if (edit->rank % 4 > 0)
        H5Pset_chunk(create, edit->rank % 4, chunk);
    H5Dclose(H5Dcreate2(file, name, types[edit->kind / 2 % (KINDS / 2)], space, H5P_DEFAULT, create,
                        H5P_DEFAULT));
    H5Pclose(create);
    H5Sclose(space);
}

static void edit_file(const uint8_t *bytes, size_t size)
{
    struct edit edit;
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);

    for (size_t i = 0; i < EDITS && (i + 1) * sizeof edit <= size; i++) {
        memcpy(&edit, bytes + i * sizeof edit, sizeof edit);
        const char *name = objects[edit.object % object_count];
        if (edit.kind < 128 || strcmp(name, ".") == 0) {
            const hid_t object = H5Oopen(file, name, H5P_DEFAULT);
            if (object >= 0) {
                replace_attribute(object, &edit);
                H5Oclose(object);
            }
        } else {
            replace_set(file, name, &edit);
        }
    }
    H5Fclose(file);
}

static enum status parse_tokens(void)
{
    struct tokens tokens = {0};
    struct sequence_origin *origins = NULL;
    int32_t *ids = NULL;
    int64_t chosen[ROWS];
    enum status st;

    TRY(tokens_open(&tokens, &path, NULL, 1, CONTEXT));
    ids = calloc((size_t)(ROWS * CONTEXT), sizeof *ids);
    origins = calloc(ROWS, sizeof *origins);
    for (int part = 0; part < TOKENS_PARTS; part++) {
        int64_t count = 0;
        for (; count < ROWS && count < tokens.sequences[part]; count++)
            chosen[count] = count;
        TRY(tokens_read(&tokens, part, chosen, count, ids, origins));
    }
done:
    free(ids);
    free(origins);
    tokens_close(&tokens);
    return st;
}

static enum status parse_activations(void)
{
    struct activations activations = {0};
    struct row_origin *origins = calloc(ROWS, sizeof *origins);
    void *values = NULL;
    enum status st;

    TRY(activations_open(&activations, &path, NULL, 1));
    values = calloc(ROWS, (size_t)stream_row_bytes(activations.stream));
    const int64_t rows = activations.before[1];
    TRY(activations_read(&activations, (struct range){ 0, rows < ROWS ? rows : ROWS }, values,
                         origins));
done:
    free(values);
    free(origins);
    activations_close(&activations);
    return st;
}

static enum status parse_sae(void)
{
    struct sae sae = {0};
    const enum status st = saefile_read(&sae, path);

    sae_free(&sae);
    return st;
}

/* --- all of them -------------------------------------------------------------------------- */

static const struct parser { const char *name, *file; enum status (*parse)(void); } PARSERS[] = {
    { "safetensors", "model.safetensors", parse_safetensors },
    { "config", "config.json", parse_config },
    { "tokenizer-json", "tokenizer.json", parse_tokenizer },
    { "tokenizer-model", "tokenizer.model", parse_tokenizer },
    { "suite", "suite.yaml", parse_suite },
    { "jsonl", "text.jsonl", parse_documents },
    { "chat", "chat.jsonl", parse_chats },
    { "gz", "text.txt.gz", parse_documents },
    { "npz", "params.npz", parse_npz },
    { "manifest", "manifest.json", parse_manifest },
    { "sums", "SHA256SUMS", parse_sums },
    { "h5-tokens", "00000.h5", parse_tokens },
    { "h5-activations", "00000.h5", parse_activations },
    { "h5-autoencoder", "w64.h5", parse_sae },
};
static const struct parser *parser;

static void clean(void)
{
    unlink(path);
    rmdir(folder);
}

/* The template, and what is in it. */
static void read_template(void)
{
    int64_t size;
    const char *from = getenv("FUZZ_TEMPLATE");

    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    if (from == NULL || file_read(from, &template, &size) != OK)
        die("FUZZ_TEMPLATE is not a file");
    template_size = (size_t)size;
    const hid_t file = H5Fopen(from, H5F_ACC_RDONLY, H5P_DEFAULT);
    H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, keep_object, NULL, H5O_INFO_BASIC);
    H5Fclose(file);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *name = getenv("FUZZ_PARSER");

    (void)argc;
    (void)argv;
    for (size_t i = 0; i < sizeof PARSERS / sizeof *PARSERS; i++)
        if (name != NULL && strcmp(name, PARSERS[i].name) == 0)
            parser = &PARSERS[i];
    if (parser == NULL || mkdtemp(folder) == NULL)
        die("FUZZ_PARSER is no parser, or no folder can be made in /tmp");
    path_print(path, "%s/%s", folder, parser->file);
    atexit(clean);
    if (strncmp(name, "h5-", 3) == 0)
        read_template();
    return 0;
}

static void write_file(const void *bytes, size_t size)
{
    FILE *file = fopen(path, "w");

    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        die("cannot write %s", path);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (template != NULL) {
        write_file(template, template_size);
        edit_file(bytes, size);
    } else {
        write_file(bytes, size);
    }
    if (parser->parse() != OK && refuse_reason()[0] == '\0')
        die("refused without a reason");
    refuse_clear();
    return 0;
}
