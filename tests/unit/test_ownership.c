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

/* The bytes of RUN/suite.yaml.  Caller frees. */
static char *read_claim(int64_t *bytes)
{
    char *claimed;

    assert_int_equal(file_read(in_scratch("run/suite.yaml"), &claimed, bytes), OK);
    return claimed;
}

static void write_claim(const char *bytes, int64_t size)
{
    assert_int_equal(file_write(in_scratch("run/suite.yaml"), bytes, size), OK);
}

/* Every prefix, the empty one too, and a page of zeros in it: never "nothing differs". */
static void a_claim_that_is_not_whole_is_refused(void **state)
{
    static const char OTHER[] = "corpus: {files: [a]}\nevaluate: {seed: 7}\n";
    char *whole;
    int64_t bytes;

    (void)state;
    begin();
    assert_int_equal(claim("evaluate", FIRST, "corpus: {files: [a]}\n"), OK);
    whole = read_claim(&bytes);
    for (int64_t keep = 0; keep < bytes; keep += keep < bytes - 100 ? 97 : 1) {
        write_claim(whole, keep);
        assert_int_equal(claim(NULL, FIRST, OTHER), E_FORMAT);
        expect_words("run/suite.yaml does not end with its checksum");
    }
    for (int64_t from = 0; from < bytes; from += 512) {
        char *zeros = malloc((size_t)bytes);
        memcpy(zeros, whole, (size_t)bytes);
        memset(zeros + from, 0, (size_t)(bytes - from < 512 ? bytes - from : 512));
        write_claim(zeros, bytes);
        assert_int_equal(claim(NULL, FIRST, OTHER), E_FORMAT);
        free(zeros);
    }
    write_claim(whole, bytes);
    assert_int_equal(claim(NULL, FIRST, OTHER), E_USAGE);
    expect_words("'seed: 0', but the suite now says 'seed: 7'");
    free(whole);
}

/* Claims of earlier versions have no checksum; the same suite may go on, and adds it. */
static void an_earlier_claim_of_the_same_suite_holds(void **state)
{
    char *whole, *again;
    int64_t bytes, after;

    (void)state;
    begin();
    whole = read_claim(&bytes);
    write_claim(whole, strstr(whole, "# SHA-256") - whole);
    assert_int_equal(claim("train", FIRST, "corpus: {files: [a]}\n"), OK);
    again = read_claim(&after);
    assert_int_equal(after, bytes);
    assert_memory_equal(again, whole, (size_t)bytes);
    free(again);
    free(whole);
}

static void autoencoders_may_not_be_taken_away(void **state)
{
    static const char TWO[] = "- {sites: [res], target_l0: [10]}\n- {sites: [mlp]}\n";

    (void)state;
    begin();
    assert_int_equal(claim("evaluate", TWO, "corpus: {files: [a]}\n"), OK);
    assert_int_equal(claim(NULL, FIRST, "corpus: {files: [a]}\n"), E_USAGE);
    expect_words("'sites: [mlp]'");
}

/* A path is no pattern, and a name that only looks like ours is somebody's. */
static void only_unfinished_claims_are_removed(void **state)
{
    static const char *const THEIRS[] = {
        "run1/suite.yaml.claim-1", "run2/suite.yaml.bak", "run[12]/suite.yaml.bak",
        "run[12]/suite.yaml.orig", "run[12]/suite.yaml.2026", "run[12]/suite.yaml.claim-",
        "run[12]/suite.yaml.claim-1.bak",
    };
    char run[PATH_LENGTH];

    (void)state;
    for (size_t f = 0; f < sizeof THEIRS / sizeof *THEIRS; f++)
        assert_int_equal(file_write(in_scratch(THEIRS[f]), "mine", 4), OK);
    assert_int_equal(file_write(in_scratch("run[12]/suite.yaml.claim-7"), "", 0), OK);
    assert_int_equal(file_write(in_scratch("run[12]/suite.yaml.claim-8.part"), "", 0), OK);
    path_print(run, "%s/run[12]", scratch);
    assert_int_equal(ownership_claim(run, "name: n\n"), OK);
    for (size_t f = 0; f < sizeof THEIRS / sizeof *THEIRS; f++)
        if (!file_exists(in_scratch(THEIRS[f])))
            fail_msg("%s is gone", THEIRS[f]);
    assert_false(file_exists(in_scratch("run[12]/suite.yaml.claim-7")));
    assert_false(file_exists(in_scratch("run[12]/suite.yaml.claim-8.part")));
}

/* A suite file may not lie where the claim goes; the claim itself may serve as a suite file. */
static void a_suite_file_is_not_replaced(void **state)
{
    char run[PATH_LENGTH], source[PATH_LENGTH];

    (void)state;
    path_print(run, "%s/own", scratch);
    path_print(source, "%s/own/./suite.yaml", scratch);
    assert_int_equal(file_write(in_scratch("own/suite.yaml"), "name: n # mine\n", 15), OK);
    assert_int_equal(ownership_check_source(run, "name: n\n", source), E_USAGE);
    expect_words("own/./suite.yaml has the name of the file by which its run folder");
    refuse_clear();
    assert_int_equal(ownership_check_source(run, "name: n\n", in_scratch("other.yaml")), OK);
    assert_int_equal(file_remove(source), OK);
    assert_int_equal(ownership_claim(run, "name: n\n"), OK);
    assert_int_equal(ownership_check_source(run, "name: n\n", source), OK);
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
        path_print(path, "%s/run/suite.yaml.claim-1.part", scratch);
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
        cmocka_unit_test(a_claim_that_is_not_whole_is_refused),
        cmocka_unit_test(an_earlier_claim_of_the_same_suite_holds),
        cmocka_unit_test(autoencoders_may_not_be_taken_away),
        cmocka_unit_test(only_unfinished_claims_are_removed),
        cmocka_unit_test(a_suite_file_is_not_replaced),
        cmocka_unit_test(many_may_claim_at_once),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
