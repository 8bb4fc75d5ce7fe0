/* Do heads copy what they read?  On models whose heads were written by hand. */
#include "base/allocate.h"
#include "heads/copy_score.h"
#include "lm/forward.h"
#include "tests/handmade.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The shares of tokens that a head of layer 1 copies, and speaks against. */
static void find_copies(double share[2], const struct weights *weights, const int32_t *ids,
                        int64_t rows, int64_t context, int head)
{
    bool *copied = allocate(rows * context, sizeof *copied);
    bool *negative = allocate(rows * context, sizeof *negative);
    struct forward forward;
    struct copy_score score;

    forward_make(&forward, weights, rows, context);
    copy_score_make(&score, weights, rows * context);
    assert_int_equal(forward_start(&forward, ids, rows), OK);
    forward_to(&forward, (struct tap){ SITE_RES, 0 });
    copy_score_read(&score, forward.values, rows * context);
    copy_score_find(&score, copied, negative, ids, rows * context, 1, head);
    share[0] = share[1] = 0;
    for (int64_t i = 0; i < rows * context; i++) {
        share[0] += copied[i] / (double)(rows * context);
        share[1] += negative[i] / (double)(rows * context);
    }
    copy_score_free(&score);
    forward_free(&forward);
    free(negative);
    free(copied);
}

/* A model by hand whose head 1.0 copies, or lowers, what it reads. */
static void check_copies(const char *model, bool copies)
{
    const hid_t file = handmade_open(model);
    struct weights weights;
    int64_t rows, context;
    int32_t *ids = handmade_ids(file, "tokens", &rows, &context);
    double share[2];

    handmade_make(&weights, file);
    find_copies(share, &weights, ids, rows, context, 0);
    printf("    %s: copies %.3f, speaks against %.3f\n", model, share[0], share[1]);
    assert_true(fabs(share[0] - copies) < 1e-9 && fabs(share[1] - !copies) < 1e-9);
    weights_free(&weights);
    free(ids);
    H5Fclose(file);
}

static void an_induction_head_copies_and_a_suppressor_does_the_opposite(void **state)
{
    (void)state;
    check_copies("induction", true);
    check_copies("copy_suppression", false);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_induction_head_copies_and_a_suppressor_does_the_opposite),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
