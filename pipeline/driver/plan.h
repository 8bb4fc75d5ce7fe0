/* plan.h -- what a suite costs, before anything runs: time, bytes, memory, and what of it does
 * not fit.
 */
#ifndef PLAN_H
#define PLAN_H

#include "driver/cost.h"

#include <stdio.h>

struct stage_plan {
    double core_seconds;    /* of its work */
    double task;            /* seconds of a task besides, with its start */
    double here;            /* seconds with `saemill run` on this machine */
    double longest;         /* seconds of the longest task with `saemill submit` */
    double memory;          /* bytes of a rank on a node of the suite's resources */
    double node_memory;     /* and of all ranks of such a node */
    int    ranks;           /* of a node */
};

struct plan {
    struct cost       cost;
    struct rates      rates;
    int               cores;    /* of this machine */
    struct stage_plan stage[STAGES];
    double            core_seconds, here;
    double            disk;         /* bytes at the end */
    double            peak;         /* when most is there, with `saemill run` */
    double            peak_of_jobs; /* and with `saemill submit`, many tasks at a time */
    double            free_disk;    /* bytes where the run folder is or will be */
};

/* Plan.  Local.  What suite_model_read() and cost_of() refuse. */
enum status plan_make(struct plan *plan, const struct suite *suite);

/* Seconds with `saemill submit` when `nodes` nodes are free. */
double plan_seconds(const struct plan *plan, const struct suite *suite, int64_t nodes);

/* For people, and as JSON for programs. */
void plan_print(FILE *out, const struct plan *plan, const struct suite *suite);
void plan_print_json(FILE *out, const struct plan *plan, const struct suite *suite);

#endif
