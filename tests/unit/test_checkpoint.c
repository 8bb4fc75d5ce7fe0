/* A model is the same in whatever form its checkpoint comes: the type of the numbers, one file
 * or several, prefixes of the names, an output matrix of its own.  And what a checkpoint lacks,
 * or has too much of, is refused by name. */
#include "base/allocate.h"
#include "kernels/bf16.h"
#include "lm/forward.h"
#include "lm/head.h"
#include "lm/safetensors.h"
#include "tests/unit/scratch.h"

#include <jansson.h>
#include <math.h>

static const char GEMMA[] = "tests/golden/gemma2-random";
static const char GEMMA3[] = "tests/golden/gemma3-random";
static const char GPT2[] = "tests/golden/gpt2-random";

enum { CONTEXT = 40 };

/* How a checkpoint is written. */
struct form {
    const char *type;       /* "F32", "BF16", "F16" */
    int         files;
    const char *prefix;     /* of all names but lm_head's; NULL: as they are */
    float       output;     /* the output matrix is so many times the embedding; 0: tied */
    const char *without;    /* a tensor that is left out */
    const char *other;      /* a tensor ... */
    const char *other_type; /* ... of another type (its values are nothing) */
    const char *nan;        /* a tensor whose last value is not a number */
    const char *wrapper;    /* "model_type" of a model for images with this text part */
};

static int64_t bytes_of(const char *type)
{
    return strcmp(type, "F32") == 0 ? 4 : strcmp(type, "I64") == 0 ? 8 : 2;
}

/* Values that all three types hold exactly: bfloat16 with what half would lose set to 0. */
static float representable(float value)
{
    uint16_t bits;

    bf16_from_float(&bits, &value, 1);
    bf16_to_float(&value, &bits, 1);
    return fabsf(value) < 0x1p-14f ? 0 : value;
}

/* IEEE half of a value that it holds exactly, not subnormal. */
static uint16_t half_of(float value)
{
    int exponent;
    const float mantissa = frexpf(fabsf(value), &exponent);

    if (value == 0)
        return 0;
    return (uint16_t)((value < 0 ? 0x8000 : 0) | (exponent + 14) << 10
                      | ((int)ldexpf(mantissa, 11) & 1023));
}

static void put_values(FILE *data, const float *values, int64_t count, const char *type)
{
    for (int64_t i = 0; i < count; i++) {
        uint16_t half = half_of(values[i]);

        if (strcmp(type, "F32") == 0) {
            fwrite(&values[i], sizeof values[i], 1, data);
            continue;
        }
        if (strcmp(type, "BF16") == 0)
            bf16_from_float(&half, &values[i], 1);
        fwrite(&half, sizeof half, 1, data);
    }
}

/* A safetensors file being made. */
struct shard {
    char    name[64], *bytes;
    size_t  size;
    FILE   *data;
    json_t *header;
};

static void add_tensor(struct shard *shard, json_t *map, const char *name, const float *values,
                       const struct safetensor *like, const char *type)
{
    const int64_t begin = ftell(shard->data), bytes = like->count * bytes_of(type);
    json_t *shape = json_array();

    for (int i = 0; i < like->rank; i++)
        json_array_append_new(shape, json_integer(like->shape[i]));
    json_object_set_new(shard->header, name, json_pack("{s:s, s:o, s:[I, I]}", "dtype", type,
                        "shape", shape, "data_offsets", (json_int_t)begin,
                        (json_int_t)(begin + bytes)));
    if (bytes_of(type) <= 4)
        put_values(shard->data, values, like->count, type);
    else
        for (int64_t i = 0; i < bytes; i++)
            fputc(0, shard->data);
    json_object_set_new(map, name, json_string(shard->name));
}

static void write_shard(struct shard *shard)
{
    char *header = json_dumps(shard->header, 0);
    const uint64_t length = strlen(header);
    FILE *file = fopen(in_scratch(shard->name), "wb");

    fclose(shard->data);
    fwrite(&length, sizeof length, 1, file);
    fwrite(header, 1, length, file);
    fwrite(shard->bytes, 1, shard->size, file);
    assert_int_equal(fclose(file), 0);
    free(header);
    free(shard->bytes);
    json_decref(shard->header);
}

/* The name in the form asked for; NULL if it is left out. */
static const char *name_in(const struct form *form, const char *name)
{
    static char full[128];
    const char *bare = strncmp(name, "model.", 6) == 0 ? name + 6 : name;

    if (form->without != NULL && strcmp(bare, form->without) == 0)
        return NULL;
    snprintf(full, sizeof full, "%s%s", form->prefix == NULL ? "" : form->prefix,
             form->prefix == NULL ? name : bare);
    return full;
}

/* Tensor `i` of the model, in the file that the form says. */
static void convert(struct shard *shards, json_t *map, const struct form *form,
                    const struct safetensor *tensor, int64_t i)
{
    const char *name = name_in(form, tensor->name);
    float *values = allocate(tensor->count, sizeof *values);
    const bool embedding = strstr(tensor->name, "embed_tokens") != NULL
                           || strcmp(tensor->name, "wte.weight") == 0;

    assert_int_equal(safetensors_values(values, tensor), OK);
    for (int64_t v = 0; v < tensor->count; v++)
        values[v] = representable(values[v]);
    if (form->nan != NULL && strstr(tensor->name, form->nan) != NULL)
        values[tensor->count - 1] = NAN;
    const bool other = form->other != NULL && strstr(tensor->name, form->other) != NULL;
    if (name != NULL)
        add_tensor(&shards[i % form->files], map, name, values, tensor,
                   other ? form->other_type : form->type);
    for (int64_t v = 0; v < tensor->count; v++)
        values[v] *= form->output;
    if (embedding && form->output != 0)
        add_tensor(&shards[0], map, "lm_head.weight", values, tensor, form->type);
    free(values);
}

static void write_config(const char *model, const struct form *form)
{
    char path[PATH_LENGTH];
    json_t *config;

    path_print(path, "%s/config.json", model);
    config = json_load_file(path, 0, NULL);
    json_object_set_new(config, "tie_word_embeddings", json_boolean(form->output == 0));
    if (form->wrapper != NULL)
        config = json_pack("{s:s, s:o, s:{s:i}, s:s}", "model_type", form->wrapper, "text_config",
                           config, "vision_config", "hidden_size", 7, "torch_dtype", "bfloat16");
    assert_int_equal(json_dump_file(config, in_scratch("config.json"), 0), 0);
    json_decref(config);
}

/* Write the model anew into the scratch folder. */
static void write_form(const char *model, struct form form)
{
    struct shard shards[3] = {0};
    struct safetensors from;
    json_t *map = json_object(), *index = json_pack("{s:o}", "weight_map", map);

    assert_int_equal(file_remove(scratch), OK);
    assert_int_equal(file_make_folder(scratch), OK);
    assert_int_equal(safetensors_open(&from, model), OK);
    for (int s = 0; s < form.files; s++) {
        if (form.files == 1)
            strcpy(shards[s].name, "model.safetensors");
        else
            snprintf(shards[s].name, sizeof shards[s].name, "model-%d.safetensors", s);
        shards[s].header = json_object();
        shards[s].data = open_memstream(&shards[s].bytes, &shards[s].size);
    }
    for (int64_t i = 0; i < from.count; i++)
        convert(shards, map, &form, &from.tensors[i], i);
    for (int s = 0; s < form.files; s++)
        write_shard(&shards[s]);
    if (form.files > 1)
        json_dump_file(index, in_scratch("model.safetensors.index.json"), 0);
    write_config(model, &form);
    json_decref(index);
    safetensors_close(&from);
}

/* --- the model itself ---------------------------------------------------------------- */

/* Logits of the model in the scratch folder for some ids, [CONTEXT, vocabulary].  Caller
 * frees. */
static float *logits(int64_t *count)
{
    struct lm_config config;
    struct weights weights;
    struct forward forward;
    struct head head;
    int32_t ids[CONTEXT];
    float *made;

    assert_int_equal(config_read(&config, scratch), OK);
    assert_int_equal(weights_read(&weights, &config, PRECISION_F32, scratch, MPI_COMM_SELF), OK);
    for (int i = 0; i < CONTEXT; i++)
        ids[i] = (7 * i + 2) % config.vocabulary;
    forward_make(&forward, &weights, 1, CONTEXT);
    assert_int_equal(forward_start(&forward, ids, 1), OK);
    forward_to(&forward, forward_end(&forward));
    head_make(&head, &weights);
    assert_true(head.tile >= CONTEXT);
    *count = (int64_t)CONTEXT * config.vocabulary;
    made = allocate(*count, sizeof *made);
    head_logits(&head, made, forward.values, CONTEXT);
    head_free(&head);
    forward_free(&forward);
    weights_free(&weights);
    return made;
}

static void check_forms(const char *model, const struct form *forms, int count)
{
    int64_t length;
    float *expected, *found;

    write_form(model, (struct form){ .type = "F32", .files = 1 });
    expected = logits(&length);
    for (int i = 0; i < count; i++) {
        write_form(model, forms[i]);
        found = logits(&length);
        assert_memory_equal(found, expected, (size_t)length * sizeof *found);
        free(found);
    }
    free(expected);
}

static void a_gemma_is_the_same_in_every_form(void **state)
{
    static const struct form FORMS[] = {
        { .type = "BF16", .files = 1 },
        { .type = "F16", .files = 1, .prefix = "model." },
        { .type = "BF16", .files = 3, .prefix = "" },
        { .type = "F32", .files = 2, .output = 1 },
        { .type = "F16", .files = 3, .prefix = "", .output = 1 },
    };

    (void)state;
    check_forms(GEMMA, FORMS, sizeof FORMS / sizeof *FORMS);
}

/* With the names that versions of Hugging Face's library have given. */
static void the_text_part_next_to_images_is_the_same(void **state)
{
    static const struct form FORMS[] = {
        { .type = "BF16", .files = 1, .prefix = "language_model.model.", .wrapper = "gemma3" },
        { .type = "BF16", .files = 2, .prefix = "model.language_model.", .wrapper = "gemma3" },
    };

    (void)state;
    check_forms(GEMMA3, FORMS, sizeof FORMS / sizeof *FORMS);
}

static void a_gpt2_is_the_same_in_every_form(void **state)
{
    static const struct form FORMS[] = {
        { .type = "BF16", .files = 1 },
        { .type = "F16", .files = 2, .prefix = "transformer." },
        { .type = "F32", .files = 3, .prefix = "transformer.", .output = 1 },
    };

    (void)state;
    check_forms(GPT2, FORMS, sizeof FORMS / sizeof *FORMS);
}

/* Without cap, logits of twice the output matrix are twice the logits, to the bit. */
static void an_untied_output_makes_the_logits(void **state)
{
    float *tied, *untied;
    int64_t count;

    (void)state;
    write_form(GPT2, (struct form){ .type = "F32", .files = 1 });
    tied = logits(&count);
    write_form(GPT2, (struct form){ .type = "F32", .files = 1, .output = 2 });
    untied = logits(&count);
    for (int64_t i = 0; i < count; i++)
        assert_true(untied[i] == 2 * tied[i]);
    free(untied);
    free(tied);
}

/* --- what is wrong ------------------------------------------------------------------- */

static void refuses_what_does_not_make_a_model(void **state)
{
    static const struct {
        const char *model;
        struct form form;
        enum status code;
        const char *words[2];
    } BAD[] = {
        { GEMMA, { .type = "BF16", .files = 1, .prefix = "",
                   .without = "layers.1.mlp.up_proj.weight" },
          E_FORMAT, { "lacks the tensor layers.1.mlp.up_proj.weight", scratch } },
        { GPT2, { .type = "F32", .files = 2, .prefix = "", .without = "h.2.attn.c_attn.bias" },
          E_FORMAT, { "lacks the tensor h.2.attn.c_attn.bias", scratch } },
        { GPT2, { .type = "F32", .files = 1, .prefix = "", .without = "wpe.weight" },
          E_FORMAT, { "lacks the tensor wpe.weight", scratch } },
        { GEMMA, { .type = "BF16", .files = 3, .other = "layers.2.self_attn.k_proj",
                   .other_type = "I64" },
          E_FORMAT, { "layers.2.self_attn.k_proj.weight is stored as I64", ".safetensors" } },
        { GEMMA, { .type = "BF16", .files = 1, .nan = "layers.0.input_layernorm" },
          E_NUMERIC, { "layers.0.input_layernorm.weight holds a value that is not finite",
                       "model.safetensors" } },
        { GPT2, { .type = "F32", .files = 2, .nan = "wte" },
          E_NUMERIC, { "wte.weight holds a value that is not finite", ".safetensors" } },
    };
    struct lm_config config;
    struct weights weights;

    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        write_form(BAD[i].model, BAD[i].form);
        assert_int_equal(config_read(&config, scratch), OK);
        assert_int_equal(weights_read(&weights, &config, PRECISION_F32, scratch, MPI_COMM_SELF),
                         BAD[i].code);
        for (int w = 0; w < 2; w++)
            if (strstr(refuse_reason(), BAD[i].words[w]) == NULL)
                fail_msg("\"%s\" does not say \"%s\"", refuse_reason(), BAD[i].words[w]);
        refuse_clear();
        weights_free(&weights);
    }
}

/* An output matrix of its own is needed when the config says so. */
static void refuses_an_untied_model_without_output(void **state)
{
    struct lm_config config;
    struct weights weights;

    (void)state;
    write_form(GEMMA, (struct form){ .type = "BF16", .files = 1 });
    write_config(GEMMA, &(struct form){ .output = 1 });
    assert_int_equal(config_read(&config, scratch), OK);
    assert_int_equal(weights_read(&weights, &config, PRECISION_F32, scratch, MPI_COMM_SELF),
                     E_FORMAT);
    assert_non_null(strstr(refuse_reason(), "lacks the tensor lm_head.weight"));
    refuse_clear();
    weights_free(&weights);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gemma_is_the_same_in_every_form),
        cmocka_unit_test(the_text_part_next_to_images_is_the_same),
        cmocka_unit_test(a_gpt2_is_the_same_in_every_form),
        cmocka_unit_test(an_untied_output_makes_the_logits),
        cmocka_unit_test(refuses_what_does_not_make_a_model),
        cmocka_unit_test(refuses_an_untied_model_without_output),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, make_scratch, remove_scratch);
    MPI_Finalize();
    return failed;
}
