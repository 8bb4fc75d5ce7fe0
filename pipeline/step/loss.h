/* loss.h -- the loss of a batch: its errors, its penalty, and their derivatives. */
#ifndef LOSS_H
#define LOSS_H

#include "step/criteria.h"
#include "step/residuals.h"

/* What one step saw, before it moved the parameters. */
struct step_report {
    int64_t step;               /* from 0 */
    double  loss;
    double  mse;                /* mean squared norm of the residual, of the whole dictionary */
    double  auxiliary;          /* part of the loss that auxiliary entries make */
    double  l0;                 /* mean active latents of a row */
    double  near;               /* mean auxiliary entries of a row */
    int64_t dead;               /* latents, this batch counted */
    double  rate, slope;        /* learning rate; coefficient of the mean sparsity */
    double  threshold;          /* mean over the latents; of BatchTopK, the batch threshold */
};

/* What the loss adds to the error. */
struct penalty {
    /* Counted in the lists of every pass: */
    double  *sparsity;          /* [batch] of each row */
    int32_t *fired;             /* [latents] active entries in the batch */
    int64_t  active, auxiliary; /* entries of the batch */

    /* Of the parameters: */
    double  *decoder_norms;     /* [latents] squared, unless decoder rows are kept at norm 1 */

    /* From the architecture's penalise(): */
    double  *slope;             /* [batch] derivative by a row's sparsity, where rows differ */
    double   auxiliary_scale;   /* twice the derivative by the auxiliary squared error */
};

/* Sums over the residuals that every rank needs. */
struct errors {
    double *memory;         /* [outputs + residuals * column blocks + tiles] what ranks bring */
    double *columns;        /* [outputs] sums of residual 0 over the batch; in `memory` */
    double  squares[RESIDUALS_MOST];    /* sum of squares of each residual */
    bool    auxiliary;      /* the last one is that of auxiliary entries */
    double  threshold;      /* mean over the latents */
};

void loss_storage(struct penalty *penalty, struct errors *errors, const struct step_sizes *sizes,
                  struct storage *storage);

/* Begin a batch: nothing is counted yet.  Local. */
void loss_begin(struct penalty *penalty, const struct training *training);

/* Count the entries of a pass.  Local. */
void loss_count(struct penalty *penalty, const struct training *training,
                const struct lists *lists);

/* Sum up, when the residuals are complete.  Collective. */
void loss_sum_errors(struct errors *errors, const struct training *training,
                     const struct criteria *criteria, const struct residuals *residuals);

/* The loss, and in `penalty` its derivatives.  Local, the same on every rank. */
void loss_find(struct penalty *penalty, const struct training *training,
               const struct errors *errors, struct step_report *report);

#endif
