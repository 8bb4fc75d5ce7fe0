/* The inputs of a run: what has changed is refused by name, and nothing is hashed twice. */
#include "base/checksum.h"
#include "corpus/identities.h"
#include "corpus/inputs.h"
#include "suite/paths.h"
#include "tests/unit/scratch.h"

static void write_text(const char *name, const char *text)
{
    assert_int_equal(file_write(in_scratch(name), text, (int64_t)strlen(text)), OK);
}

/* A model and two texts; nothing has been made from them.  `more` is more YAML. */
static void begin(struct suite *suite, const char *more)
{
    char yaml[3 * PATH_LENGTH];

    assert_int_equal(file_remove(scratch), OK);
    write_text("model/config.json", "{}");
    write_text("model/tokenizer.model", "t");
    write_text("model/model.safetensors", "weights");
    write_text("text/0.txt", "one");
    write_text("text/1.txt", "two");
    snprintf(yaml, sizeof yaml,
             "name: s\nrun: %s/run\nmodel: {path: %s/model}\n"
             "saes: [{sites: [res], widths: [64], target_l0: [1, 2]}]\n"
             "corpus: {files: ['%s/text/*.txt']}\n%s", scratch, scratch, scratch, more);
    if (suite_parse(suite, yaml, "x.yaml") != OK)
        fail_msg("%s", refuse_reason());
}

static void keep(const struct suite *suite)
{
    if (inputs_keep(suite) != OK)
        fail_msg("%s", refuse_reason());
}

/* The stages and the driver refuse, with these words. */
static void assert_refused(const struct suite *suite, const char *words)
{
    enum status (*const checks[])(const struct suite *) = { inputs_keep, inputs_check };

    for (int i = 0; i < 2; i++) {
        assert_int_equal(checks[i](suite), E_USAGE);
        if (strstr(refuse_reason(), words) == NULL)
            fail_msg("the reason does not say \"%s\": %s", words, refuse_reason());
        refuse_clear();
    }
}

/* What was made holds fast what it was made from: tokens the tokenizer, the harvest all of it. */
static void what_has_changed_is_refused_by_name(void **state)
{
    struct suite suite;

    (void)state;
    begin(&suite, "");
    keep(&suite);
    write_text("model/tokenizer.model", "another");
    write_text("text/1.txt", "another");
    keep(&suite);
    write_text("run/tokens/00000.h5", "");
    write_text("model/model.safetensors", "others");
    write_text("text/1.txt", "has no shard yet");
    keep(&suite);
    write_text("model/tokenizer.model", "changed");
    assert_refused(&suite, "model/tokenizer.model has changed since tokens was made from it");
    write_text("model/tokenizer.model", "another");
    write_text("text/0.txt", "two");
    assert_refused(&suite, "text/0.txt has changed since");
    write_text("text/0.txt", "one");
    write_text("run/harvest/00000/res.00.h5", "");
    write_text("text/1.txt", "two");
    assert_refused(&suite, "text/1.txt has changed since");
    write_text("text/1.txt", "has no shard yet");
    write_text("model/model.safetensors", "changed");
    assert_refused(&suite, "model.safetensors has changed since harvest was made from it (it had 6 "
                           "bytes and has 7)");
    suite_free(&suite);
}

/* The weights are not needed to train, say. */
static void a_model_that_is_not_there_counts_as_it_was(void **state)
{
    struct identities before, after;
    struct suite suite;

    (void)state;
    begin(&suite, "");
    keep(&suite);
    write_text("run/harvest/00000/res.00.h5", "");
    assert_int_equal(identities_read(&before, &suite), OK);
    assert_int_equal(file_remove(in_scratch("model")), OK);
    keep(&suite);
    assert_int_equal(identities_read(&after, &suite), OK);
    assert_true(before.harvest == after.harvest && before.tokens[1] == after.tokens[1]);
    identities_free(&after);
    identities_free(&before);
    suite_free(&suite);
}

/* A file that looks as recorded is not read: here it has other bytes than the record's hash. */
static void nothing_is_hashed_twice(void **state)
{
    char path[PATH_LENGTH], *text, line[CHECKSUM_LINE];
    struct inputs inputs;
    struct suite suite;
    int64_t bytes;

    (void)state;
    begin(&suite, "");
    keep(&suite);
    paths_inputs(path, &suite);
    assert_int_equal(file_read(path, &text, &bytes), OK);
    assert_int_equal(checksum_cut(text, &bytes, path), OK);
    char *hash = strstr(text, "weights ") + 8;
    memset(hash, '7', 16);
    checksum_line(line, text, bytes);
    text = realloc(text, (size_t)bytes + sizeof line);
    strcpy(text + bytes, line);
    assert_int_equal(file_write(path, text, (int64_t)strlen(text)), OK);
    assert_int_equal(inputs_read(&inputs, &suite), OK);
    assert_int_equal(inputs.file[2].kind, INPUT_WEIGHTS);
    assert_true(inputs.file[2].hash == 0x7777777777777777);
    inputs_free(&inputs);
    text[bytes / 2] ^= 1;       /* damaged: the files are read again */
    assert_int_equal(file_write(path, text, (int64_t)strlen(text)), OK);
    assert_int_equal(inputs_read(&inputs, &suite), OK);
    assert_true(inputs.file[2].hash != 0x7777777777777777);
    inputs_free(&inputs);
    free(text);
    suite_free(&suite);
}

/* The identity of the scores of res.00's second autoencoder, of a suite with more YAML. */
static struct identity scores_of(const char *more)
{
    struct identities identities;
    struct tasks tasks;
    struct suite suite;
    struct identity identity;

    begin(&suite, more);
    assert_int_equal(identities_read(&identities, &suite), OK);
    assert_int_equal(tasks_make(&tasks, &suite, 1), OK);
    const struct tap_task *res = &tasks.train[tasks.taps_count - 1];
    identity = identities_scores(&identities, res->tap, &res->saes[1]);
    tasks_free(&tasks);
    identities_free(&identities);
    suite_free(&suite);
    return identity;
}

/* Every value that results depend on, and no other. */
static void identities_follow_from_what_is_asked_for(void **state)
{
    static const char *const OTHERS[] = {
        "", "harvest: {seed: 1}\n", "shuffle: {seed: 1}\n",
        "train: {seed: 1}\n", "train: {epsilon: 1.0000001e-8}\n", "evaluate: {seed: 1}\n",
    };
    enum { COUNT = sizeof OTHERS / sizeof *OTHERS };
    uint64_t hash[COUNT];

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        hash[i] = scores_of(OTHERS[i]).hash;
        for (int j = 0; j < i; j++)
            assert_true(hash[i] != hash[j]);
    }
    assert_true(hash[0] == scores_of("shuffle: {memory: 2GB}\ntrain: {checkpoint: 7}\n").hash);
    assert_string_equal(scores_of("").place, "evaluate/res.00/w64-t2.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_changed_is_refused_by_name),
        cmocka_unit_test(a_model_that_is_not_there_counts_as_it_was),
        cmocka_unit_test(nothing_is_hashed_twice),
        cmocka_unit_test(identities_follow_from_what_is_asked_for),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
