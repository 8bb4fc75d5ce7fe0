/* A run folder belongs to the suite that made what is in it. */
#include "suite/ownership.h"
#include "suite/suite.h"
#include "tests/unit/scratch.h"

#include <dirent.h>
#include <sys/wait.h>

static const char FIRST[] = "- {sites: [res], target_l0: [10]}\n";

/* Claim an own run folder, in which `made` exists, for a suite with these lines. */
static enum status claim(const char *made, const char *saes, const char *lines)
{
    char yaml[1024], path[PATH_LENGTH];
    struct suite suite;
    enum status st;

    refuse_clear();
    snprintf(yaml, sizeof yaml, "name: n\nrun: %s/run\nmodel: {path: m}\n%ssaes:\n%s", scratch,
             lines, saes);
    if (suite_parse(&suite, yaml, "x.yaml") != OK)
        fail_msg("%s", refuse_reason());
    if (made != NULL) {
        path_print(path, "%s/run/%s", scratch, made);
        assert_int_equal(file_make_folder(path), OK);
    }
    st = ownership_claim(suite.run, suite.text);
    suite_free(&suite);
    return st;
}

static void begin(void)
{
    char path[PATH_LENGTH];

    path_print(path, "%s/run", scratch);
    assert_int_equal(file_remove(path), OK);
    assert_int_equal(claim(NULL, FIRST, "corpus: {files: [a]}\n"), OK);
}

static void expect_words(const char *words)
{
    if (strstr(refuse_reason(), words) == NULL)
        fail_msg("lacks \"%s\": %s", words, refuse_reason());
}

static void the_same_suite_may_go_on(void **state)
{
    (void)state;
    begin();
    assert_int_equal(claim("tokens", FIRST, "corpus: {files: [a]}\n"), OK);
    assert_int_equal(claim("release", FIRST, "corpus: {files: [a], context: 1024}\n"), OK);
}

static void a_changed_value_is_refused_once_something_was_made_with_it(void **state)
{
    static const char CHANGED[] = "corpus: {files: [a], context: 512}\n";

    (void)state;
    begin();
    assert_int_equal(claim("shuffle", FIRST, CHANGED), E_USAGE);
    expect_words("'context: 1024', but the suite now says 'context: 512'");
    expect_words("(shuffle)");
    assert_int_equal(claim("train", FIRST, CHANGED), E_USAGE);
    expect_words("(shuffle, train)");

    /* The refused suite has not taken the folder over. */
    assert_int_equal(claim(NULL, FIRST, "corpus: {files: [a]}\n"), OK);
}

static void what_comes_later_may_still_change(void **state)
{
    (void)state;
    begin();
    assert_int_equal(claim("shuffle", FIRST, "corpus: {files: [a]}\ntrain: {batch: 32}\n"), OK);
    assert_int_equal(claim("train", FIRST, "corpus: {files: [a]}\ntrain: {batch: 64}\n"), E_USAGE);
    expect_words("'batch: 32', but the suite now says 'batch: 64'");
}

/* A later difference counts although an earlier one does not matter. */
static void every_difference_counts(void **state)
{
    (void)state;
    begin();
    assert_int_equal(claim("train", FIRST, "corpus: {files: [a]}\n"
                           "shuffle: {memory: 2GB}\ntrain: {beta2: 0.99}\n"), E_USAGE);
    expect_words("'beta2: 0.999'");
}

static void technical_values_may_always_change(void **state)
{
    (void)state;
    begin();
    assert_int_equal(claim("release", FIRST, "corpus: {files: [a]}\nshuffle: {memory: 2GB}\n"
                           "train: {checkpoint: 7}\n"), OK);
}

static void autoencoders_may_be_added_after_the_others(void **state)
{
    (void)state;
    begin();
    assert_int_equal(claim("train", "- {sites: [res], target_l0: [10]}\n- {sites: [mlp]}\n",
                           "corpus: {files: [a]}\n"), OK);
    assert_int_equal(claim("train", "- {sites: [res], target_l0: [20]}\n- {sites: [mlp]}\n",
                           "corpus: {files: [a]}\n"), E_USAGE);
    expect_words("'target_l0: [10]', but the suite now says 'target_l0: [20]'");
    expect_words("a group after the others");
    assert_int_equal(claim(NULL, "- {sites: [res], target_l0: [10]}\n- {sites: [mlp]}\n",
                           "corpus: {files: [a]}\nevaluate: {seed: 1}\n"), OK);
    assert_int_equal(claim("evaluate", "- {sites: [res], target_l0: [10]}\n- {sites: [mlp]}\n"
                           "- {sites: [attn]}\n",
                           "corpus: {files: [a]}\nevaluate: {seed: 2}\n"), E_USAGE);
    expect_words("'seed: 1', but the suite now says 'seed: 2'");
}

static void a_release_does_not_grow(void **state)
{
    (void)state;
    begin();
    assert_int_equal(claim("release", "- {sites: [res], target_l0: [10]}\n- {sites: [mlp]}\n",
                           "corpus: {files: [a]}\n"), E_USAGE);
    expect_words("release has fewer autoencoders");
}

/* All at once, after one that was killed at it: each claim holds, and nothing but it is left. */
static void many_may_claim_at_once(void **state)
{
    enum { CLAIMERS = 16 };
    static const char CORPUS[] = "corpus: {files: [a]}\n";
    char path[PATH_LENGTH], none;
    int status, gate[2], entries = 0;

    (void)state;
    for (int round = 0; round < 10; round++) {
        path_print(path, "%s/run", scratch);
        assert_int_equal(file_remove(path), OK);
        assert_int_equal(file_make_folder(path), OK);
        path_print(path, "%s/run/suite.yaml.1.part", scratch);
        assert_int_equal(file_write(path, "name:", 5), OK);
        assert_int_equal(pipe(gate), 0);
        for (int c = 0; c < CLAIMERS; c++)
            if (fork() == 0) {
                close(gate[1]);
                _exit(read(gate[0], &none, 1) != 0 || claim(NULL, FIRST, CORPUS) != OK);
            }
        close(gate[0]);
        close(gate[1]);     /* go */
        for (int c = 0; c < CLAIMERS; c++) {
            assert_true(wait(&status) > 0);
            assert_int_equal(status, 0);
        }
        assert_int_equal(claim(NULL, FIRST, CORPUS), OK);
        path_print(path, "%s/run", scratch);
        DIR *folder = opendir(path);
        for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
            entries += entry->d_name[0] != '.';
        closedir(folder);
        assert_int_equal(entries, round + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_suite_may_go_on),
        cmocka_unit_test(a_changed_value_is_refused_once_something_was_made_with_it),
        cmocka_unit_test(what_comes_later_may_still_change),
        cmocka_unit_test(every_difference_counts),
        cmocka_unit_test(technical_values_may_always_change),
        cmocka_unit_test(autoencoders_may_be_added_after_the_others),
        cmocka_unit_test(a_release_does_not_grow),
        cmocka_unit_test(many_may_claim_at_once),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
