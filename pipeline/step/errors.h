/* errors.h -- sums over the residuals of a batch that every rank needs. */
#ifndef ERRORS_H
#define ERRORS_H

#include "step/criteria.h"
#include "step/residuals.h"

struct errors {
    double *memory;         /* [outputs + residuals * column blocks + tiles] what ranks bring */
    double *columns;        /* [outputs] sums of residual 0 over the batch; in `memory` */
    double  squares[RESIDUALS_MOST];    /* sum of squares of each residual */
    bool    auxiliary;      /* the last one is that of auxiliary entries */
    double  threshold;      /* mean over the latents */
};

void errors_make(struct errors *errors, const struct step_sizes *sizes);
void errors_free(struct errors *errors);
int64_t errors_bytes(const struct step_sizes *sizes);

/* Sum up, when the residuals are complete.  Collective. */
void errors_sum(struct errors *errors, const struct training *training,
                const struct criteria *criteria, const struct residuals *residuals);

/* Mean squared error of a row: of the whole dictionary; of all groups, on average. */
double errors_mean(const struct errors *errors, const struct training *training);
double errors_mean_of_groups(const struct errors *errors, const struct training *training);

#endif
