/* step_timer.h -- the seconds that the parts of a training step take. */
#ifndef STEP_TIMER_H
#define STEP_TIMER_H

#include <omp.h>

enum part {
    PART_ENCODE,        /* the encoder's product */
    PART_SCAN,          /* pre-activations to lists */
    PART_DECODE,        /* with one rank, the latents' gradient too */
    PART_BACK,          /* the latents' gradient */
    PART_LATENTS,       /* the lists by latent; gradients of biases and thresholds */
    PART_UPDATE,        /* the weights' gradients, and Adam */
    PART_EXCHANGE,      /* between ranks, waiting for them included */
    PARTS
};

struct step_timer {
    double spent[PARTS];
};

/* Count the time since `since` as a part's; returns the time now.  A part that `threads` share may
 * be counted by each of them. */
static inline double step_timer_part(struct step_timer *timer, enum part part, int threads,
                                     double since)
{
    const double now = omp_get_wtime(), share = (now - since) / threads;

    #pragma omp atomic
    timer->spent[part] += share;
    return now;
}

#endif
