/* step_timer.h -- what the seconds of a training step go into. */
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

/* The time since `since` belongs to a part; returns the time now.  Of the `threads` that
 * share a part's work each may call it. */
static inline double part_done(double spent[PARTS], enum part part, int threads, double since)
{
    const double now = omp_get_wtime(), share = (now - since) / threads;

    #pragma omp atomic
    spent[part] += share;
    return now;
}

#endif
