/* What is known of release before it runs.  It is one task. */
#include "lm/config.h"
#include "sae/sae.h"
#include "suite/paths.h"
#include "suite/stages.h"
#include "suite/tasks.h"

/* A release has the parameters in two forms; and files besides those of autoencoders. */
enum { FORMS = 2, FILES_OF_AN_AUTOENCODER = 4, OTHER_FILES = 4 };

static struct stage_cost cost(const struct stage_host *host, const struct stage_amounts *amounts)
{
    struct stage_cost cost = { .tasks = 1, .longest = 1, .files = OTHER_FILES };

    (void)amounts;
    for (int t = 0; t < host->tasks->taps_count; t++) {
        const struct tap_task *task = &host->tasks->train[t];
        for (int s = 0; s < task->count; s++)
            cost.read += 4 * (double)sae_parameters(
                lm_site_width(host->model, task->tap.site),
                lm_site_width(host->model, task->saes[s].target.site), task->saes[s].width,
                task->saes[s].skip);
        cost.files += FILES_OF_AN_AUTOENCODER * task->count;
    }
    cost.work = cost.written = cost.left = FORMS * cost.read;
    return cost;
}

static enum status count_tasks(const struct suite *suite, const struct tasks *tasks, bool ready,
                               int64_t *count)
{
    (void)suite, (void)tasks, (void)ready;
    *count = 1;
    return OK;
}

static bool path_made(char path[PATH_LENGTH], const struct suite *suite, const struct tasks *tasks,
                      int64_t task, int i)
{
    (void)tasks, (void)task;
    paths_release(path, suite);
    return i == 0;
}

const struct stage_traits RELEASE_STAGE = {
    .about = "all of it for others to load; open release/index.html first",
    .rate = 50e6, .rate_unit = 1e6, .rate_name = "MB/s", .less_memory = "", .less_time = "",
    .cost = cost, .count = count_tasks, .path = path_made,
};
