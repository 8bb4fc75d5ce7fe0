/* worker_*(): jobs are done beside their owner, in order, and their failures are told.
 * phase_*(): the time of every thread goes to the phases it was in. */
#include "base/phase.h"
#include "base/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { JOBS = 100 };

struct list {
    int done[JOBS];
    atomic_int count;       /* queues_jobs() looks at it while the worker works */
};

/* One job: append a number to a list, slowly. */
struct append {
    struct list *list;
    int          number;
    enum status  status;
};

static enum status append(void *context)
{
    struct append *a = context;

    usleep(200);
    a->list->done[a->list->count++] = a->number;
    return a->status == OK ? OK : refuse(a->status, "number %d", a->number);
}

static void does_all_jobs_in_order(void **state)
{
    struct list list = {0};
    struct append jobs[JOBS];
    struct worker worker;

    (void)state;
    worker_start(&worker);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct append){ &list, i, OK };
        worker_begin(&worker, append, &jobs[i]);
    }
    assert_int_equal(worker_wait(&worker), OK);
    assert_int_equal(list.count, JOBS);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(list.done[i], i);
    worker_stop(&worker);
}

static void begins_nothing_after_a_failure_until_it_is_told(void **state)
{
    struct list list = {0};
    struct append good = { &list, 1, OK }, bad = { &list, 2, E_SPACE }, late = { &list, 3, OK };
    struct worker worker;

    (void)state;
    worker_start(&worker);
    worker_begin(&worker, append, &good);
    worker_begin(&worker, append, &bad);
    worker_begin(&worker, append, &late);
    assert_int_equal(worker_wait(&worker), E_SPACE);
    assert_string_equal(refuse_reason(), "number 2");
    refuse_clear();
    assert_int_equal(list.count, 2);
    worker_begin(&worker, append, &late);
    assert_int_equal(worker_wait(&worker), OK);
    assert_int_equal(list.count, 3);
    worker_stop(&worker);
}

/* The owner gets ahead of the worker by as many jobs as it allows itself. */
static void queues_jobs(void **state)
{
    struct list list = {0};
    struct append jobs[JOBS];
    struct worker worker;

    (void)state;
    worker_start(&worker);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct append){ &list, i, i == 90 ? E_SPACE : OK };
        worker_queue(&worker, append, &jobs[i]);
        worker_await(&worker, 3);
        assert_true(list.count >= (i < 90 ? i - 2 : 88));
    }
    worker_await(&worker, 0);
    assert_int_equal(worker_status(&worker), E_SPACE);
    assert_int_equal(worker_status(&worker), E_SPACE);
    assert_int_equal(worker_wait(&worker), E_SPACE);
    assert_string_equal(refuse_reason(), "number 90");
    refuse_clear();
    assert_int_equal(worker_status(&worker), OK);
    assert_int_equal(list.count, 91);
    for (int i = 0; i < list.count; i++)
        assert_int_equal(list.done[i], i);
    worker_stop(&worker);
}

static void lets_the_job_in_hand_end(void **state)
{
    struct list list = {0};
    struct append job = { &list, 1, OK };
    struct worker worker, never = {0};

    (void)state;
    worker_start(&worker);
    worker_begin(&worker, append, &job);
    worker_stop(&worker);
    assert_int_equal(list.count, 1);
    worker_stop(&never);
}

static enum status write_for_a_while(void *context)
{
    (void)context;
    phase_enter(PHASE_WRITE);
    usleep(30000);
    return OK;
}

static void counts_the_phases_of_all_threads(void **state)
{
    double before[PHASES], after[PHASES];
    struct worker worker;

    (void)state;
    phase_enter(PHASE_READ);
    phase_seconds(before);
    worker_start(&worker);
    worker_begin(&worker, write_for_a_while, NULL);
    usleep(20000);
    assert_int_equal(phase_enter(PHASE_COMPUTE), PHASE_READ);
    assert_int_equal(worker_wait(&worker), OK);
    worker_stop(&worker);
    phase_seconds(after);
    assert_true(after[PHASE_READ] - before[PHASE_READ] >= 0.02);
    assert_true(after[PHASE_WRITE] - before[PHASE_WRITE] >= 0.03);
    assert_true(after[PHASE_EXCHANGE] == before[PHASE_EXCHANGE]);
    phase_enter(PHASE_NONE);
}

static void prints_shares_of_those_that_have_one(void **state)
{
    const double seconds[PHASES] = { [PHASE_READ] = 1, [PHASE_COMPRESS] = 3 };
    char text[PHASE_SHARES];

    (void)state;
    assert_string_equal(phase_shares(text, seconds, 4), "read 25 %, compress 75 %");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(does_all_jobs_in_order),
        cmocka_unit_test(begins_nothing_after_a_failure_until_it_is_told),
        cmocka_unit_test(queues_jobs),
        cmocka_unit_test(lets_the_job_in_hand_end),
        cmocka_unit_test(counts_the_phases_of_all_threads),
        cmocka_unit_test(prints_shares_of_those_that_have_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
