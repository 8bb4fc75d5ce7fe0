/* Checkpoint files are not trusted: what is wrong in them is refused in one sentence. */
#include "base/allocate.h"
#include "lm/safetensors.h"
#include "lm/weights.h"
#include "tests/unit/scratch.h"

#include <math.h>
#include <unistd.h>

/* Write FOLDER/NAME: the length of the header, the header, so many bytes of values. */
static void write_tensors(const char *name, uint64_t length, const char *header,
                          const void *values, int64_t bytes)
{
    char path[PATH_LENGTH];
    const size_t written = strlen(header);
    char *file = allocate(8 + (long long)written + bytes, 1);

    for (int i = 0; i < 8; i++)
        file[i] = (char)(length >> 8 * i & 255);
    memcpy(file + 8, header, written);
    if (bytes > 0)
        memcpy(file + 8 + written, values, (size_t)bytes);
    path_print(path, "%s/%s", scratch, name);
    assert_int_equal(file_write(path, file, 8 + (int64_t)written + bytes), OK);
    free(file);
}

static void remove_file(const char *name)
{
    char path[PATH_LENGTH];

    path_print(path, "%s/%s", scratch, name);
    assert_int_equal(file_remove(path), OK);
}

/* Exact values of the three types, worked by hand; half 0x0001 is the smallest subnormal,
 * 0x7bff the largest number.  `b` begins at an odd address. */
static void reads_each_type_exactly(void **state)
{
    static const char HEADER[] =
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"f\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
        "\"h\":{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[8,18]},"
        "\"b\":{\"dtype\":\"BF16\",\"shape\":[1,3],\"data_offsets\":[18,24]}}";
    static const unsigned char VALUES[] = {
        0x00, 0x00, 0xc0, 0x3f,  0x00, 0x00, 0x00, 0x80,
        0x01, 0x00,  0xff, 0x7b,  0x00, 0xc0,  0x55, 0x35,  0x00, 0x80,
        0x80, 0x3f,  0x00, 0xc0,  0x49, 0x40,
    };
    const float f[] = { 1.5f, -0.0f };
    const float h[] = { 0x1p-24f, 65504, -2, 0x1.554p-2f, -0.0f };
    const float b[] = { 1, -2, 3.140625f };
    float values[5];
    struct safetensors checkpoint;

    (void)state;
    write_tensors("model.safetensors", strlen(HEADER), HEADER, VALUES, sizeof VALUES);
    assert_int_equal(safetensors_open(&checkpoint, scratch), OK);
    assert_int_equal(checkpoint.count, 3);
    assert_null(safetensors_find(&checkpoint, "__metadata__"));
    assert_int_equal(safetensors_values(values, safetensors_find(&checkpoint, "f")), OK);
    assert_memory_equal(values, f, sizeof f);
    assert_int_equal(safetensors_values(values, safetensors_find(&checkpoint, "h")), OK);
    assert_memory_equal(values, h, sizeof h);
    assert_int_equal(safetensors_values(values, safetensors_find(&checkpoint, "b")), OK);
    assert_memory_equal(values, b, sizeof b);
    assert_int_equal(safetensors_find(&checkpoint, "b")->shape[1], 3);
    safetensors_close(&checkpoint);
}

/* Tensors that nobody asks for may be of any kind. */
static void reads_next_to_tensors_of_other_kinds(void **state)
{
    static const char HEADER[] =
        "{\"none\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[8,8]},"
        "\"deep\":{\"dtype\":\"BF16\",\"shape\":[1,1,2,1,1,2],\"data_offsets\":[8,16]},"
        "\"empty\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[0,0]},"
        "\"f8\":{\"dtype\":\"F8_E4M3\",\"shape\":[3],\"data_offsets\":[16,19]},"
        "\"scalar\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[19,27]},"
        "\"f\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    static const char VALUES[27];
    float values[2];
    struct safetensors checkpoint;

    (void)state;
    write_tensors("model.safetensors", strlen(HEADER), HEADER, VALUES, sizeof VALUES);
    assert_int_equal(safetensors_open(&checkpoint, scratch), OK);
    assert_int_equal(safetensors_values(values, safetensors_find(&checkpoint, "f")), OK);
    assert_int_equal(safetensors_find(&checkpoint, "deep")->rank, 6);
    assert_int_equal(safetensors_find(&checkpoint, "none")->count, 0);
    assert_int_equal(safetensors_values(values, safetensors_find(&checkpoint, "f8")), E_FORMAT);
    refuse_clear();
    safetensors_close(&checkpoint);
}

/* What is wrong, and a word of the sentence that says so. */
static const struct {
    const char *header;
    int64_t     bytes;      /* of values behind it */
    const char *word;
} BAD[] = {
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", 12, "truncated" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", 20, "belong to none" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,16]}}", 16, "does not fit" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[16,0]}}", 16, "data_offsets" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[-16,0]}}", 16, "data_offsets" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0]}}", 16, "data_offsets" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4]}}", 16, "data_offsets" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[-4],\"data_offsets\":[0,16]}}", 16, "shape" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4.0],\"data_offsets\":[0,16]}}", 16, "shape" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":4,\"data_offsets\":[0,16]}}", 16, "shape" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,3],\"data_offsets\":[0,16]}}", 16, "shape" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,16]}}", 16, "shape" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
      "impossible" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387905],\"data_offsets\":[0,4]}}", 4,
      "does not fit" },
    { "{\"a\":{\"shape\":[4],\"data_offsets\":[0,16]}}", 16, "dtype" },
    { "{\"a\":[]}", 0, "dtype" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},"
      "\"b\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[12,28]}}", 28, "another tensor" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},"
      "\"b\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[20,36]}}", 36, "a gap" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},"
      "\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[16,32]}}",
      32, "not a JSON object" },
    { "[1, 2]", 0, "not a JSON object" },
    { "{\"a\":", 0, "not a JSON object" },
};

static void check_refused(const char *word)
{
    struct safetensors checkpoint;

    assert_int_equal(safetensors_open(&checkpoint, scratch), E_FORMAT);
    if (strstr(refuse_reason(), word) == NULL || strstr(refuse_reason(), scratch) == NULL)
        fail_msg("\"%s\" does not say \"%s\" and the file", refuse_reason(), word);
    refuse_clear();
    safetensors_close(&checkpoint);
}

static void refuses_headers_that_lie(void **state)
{
    static const char VALUES[64];

    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        write_tensors("model.safetensors", strlen(BAD[i].header), BAD[i].header, VALUES,
                      BAD[i].bytes);
        check_refused(BAD[i].word);
    }
}

static void refuses_files_shorter_than_their_header(void **state)
{
    char path[PATH_LENGTH];

    (void)state;
    path_print(path, "%s/model.safetensors", scratch);
    write_tensors("model.safetensors", 3, "{}", NULL, 0);
    check_refused("truncated");
    write_tensors("model.safetensors", UINT64_MAX, "{}", NULL, 0);
    check_refused("truncated");
    write_tensors("model.safetensors", UINT64_MAX - 7, "{}", NULL, 0);
    check_refused("truncated");
    assert_int_equal(file_write(path, "1234567", 7), OK);
    check_refused("too few");
    assert_int_equal(file_write(path, "", 0), OK);
    check_refused("too few");
}

static void refuses_values_that_are_not_finite(void **state)
{
    static const char HEADER[] =
        "{\"a\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]}}";
    static const unsigned char INFINITE[] = { 0x80, 0x3f, 0x80, 0xff };
    struct safetensors checkpoint;
    float values[2];

    (void)state;
    write_tensors("model.safetensors", strlen(HEADER), HEADER, INFINITE, sizeof INFINITE);
    assert_int_equal(safetensors_open(&checkpoint, scratch), OK);
    assert_int_equal(safetensors_values(values, safetensors_find(&checkpoint, "a")), E_NUMERIC);
    assert_non_null(strstr(refuse_reason(), "tensor a"));
    refuse_clear();
    safetensors_close(&checkpoint);
}

/* Checkpoints hold tensors besides that nobody asks for, such as masks. */
static void refuses_other_types_when_asked_for_them(void **state)
{
    static const char HEADER[] =
        "{\"mask\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[0,3]},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[3,7]}}";
    static const char VALUES[7];
    struct safetensors checkpoint;
    float values[3];

    (void)state;
    write_tensors("model.safetensors", strlen(HEADER), HEADER, VALUES, sizeof VALUES);
    assert_int_equal(safetensors_open(&checkpoint, scratch), OK);
    assert_int_equal(safetensors_values(values, safetensors_find(&checkpoint, "a")), OK);
    assert_int_equal(safetensors_values(values, safetensors_find(&checkpoint, "mask")), E_FORMAT);
    assert_non_null(strstr(refuse_reason(), "tensor mask is stored as BOOL"));
    refuse_clear();
    safetensors_close(&checkpoint);
}

/* Two files and their index; then one with a tensor of the other, tensors that are not where the
 * index says, an index that leads out of the folder, and a file that is not there. */
static void finds_tensors_over_several_files(void **state)
{
    static const char A[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    static const char B[] = "{\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    static const char C[] = "{\"c\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    static const char SWAPPED[] = "{\"weight_map\":{\"a\":\"x-2.safetensors\","
                                  "\"b\":\"x-1.safetensors\"}}";
    static const char INDEX[] = "{\"weight_map\":{\"a\":\"x-1.safetensors\","
                                "\"b\":\"x-2.safetensors\"}}";
    static const char OUTSIDE[] = "{\"weight_map\":{\"a\":\"../x.safetensors\"}}";
    const float one = 1, two = 2;
    char index[PATH_LENGTH];
    struct safetensors checkpoint;
    float value;

    (void)state;
    remove_file("model.safetensors");
    path_print(index, "%s/model.safetensors.index.json", scratch);
    assert_int_equal(file_write(index, INDEX, (int64_t)strlen(INDEX)), OK);
    write_tensors("x-1.safetensors", strlen(A), A, &one, sizeof one);
    write_tensors("x-2.safetensors", strlen(B), B, &two, sizeof two);
    assert_int_equal(safetensors_open(&checkpoint, scratch), OK);
    assert_int_equal(safetensors_values(&value, safetensors_find(&checkpoint, "b")), OK);
    assert_true(value == 2);
    safetensors_close(&checkpoint);

    write_tensors("x-2.safetensors", strlen(A), A, &two, sizeof two);
    check_refused("both in");
    write_tensors("x-2.safetensors", strlen(C), C, &two, sizeof two);
    check_refused("tensor b is in x-2.safetensors, but it is not");
    write_tensors("x-2.safetensors", strlen(B), B, &two, sizeof two);
    assert_int_equal(file_write(index, SWAPPED, (int64_t)strlen(SWAPPED)), OK);
    check_refused("tensor a is in x-2.safetensors, but it is not");
    remove_file("x-2.safetensors");
    assert_int_equal(safetensors_open(&checkpoint, scratch), E_IO);
    assert_non_null(strstr(refuse_reason(), "index.json names the file x-2.safetensors"));
    refuse_clear();
    safetensors_close(&checkpoint);
    assert_int_equal(file_write(index, OUTSIDE, (int64_t)strlen(OUTSIDE)), OK);
    check_refused("in the same folder");
    assert_int_equal(file_write(index, "{}", 2), OK);
    check_refused("weight_map");
    remove_file("model.safetensors.index.json");
    assert_int_equal(safetensors_open(&checkpoint, scratch), E_IO);
    assert_non_null(strstr(refuse_reason(), "neither"));
    refuse_clear();
    safetensors_close(&checkpoint);
}

/* The right file for another shape of model, and a model with a tensor more. */
static void refuses_tensors_that_do_not_fit_the_config(void **state)
{
    static const char MODEL[] = "tests/golden/gemma2-random";
    struct lm_config config;
    struct weights weights;

    (void)state;
    assert_int_equal(config_read(&config, MODEL), OK);
    config.mlp_width++;
    assert_int_equal(weights_read(&weights, &config, PRECISION_F32, MODEL,
                                  MPI_COMM_SELF), E_FORMAT);
    assert_non_null(strstr(refuse_reason(), "mlp.gate_proj.weight must have the shape [161, 96], "
                           "but it has [160, 96]"));
    refuse_clear();
    weights_free(&weights);
    config.mlp_width--;
    config.layers++;
    assert_int_equal(weights_read(&weights, &config, PRECISION_F32, MODEL,
                                  MPI_COMM_SELF), E_FORMAT);
    assert_non_null(strstr(refuse_reason(), "lacks the tensor layers.3."));
    refuse_clear();
    weights_free(&weights);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_each_type_exactly),
        cmocka_unit_test(reads_next_to_tensors_of_other_kinds),
        cmocka_unit_test(refuses_headers_that_lie),
        cmocka_unit_test(refuses_files_shorter_than_their_header),
        cmocka_unit_test(refuses_values_that_are_not_finite),
        cmocka_unit_test(refuses_other_types_when_asked_for_them),
        cmocka_unit_test(finds_tensors_over_several_files),
        cmocka_unit_test(refuses_tensors_that_do_not_fit_the_config),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, make_scratch, remove_scratch);
    MPI_Finalize();
    return failed;
}
