/* step_report.h -- what one step of training saw, before it moved the parameters. */
#ifndef STEP_REPORT_H
#define STEP_REPORT_H

#include <stdint.h>

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

#endif
