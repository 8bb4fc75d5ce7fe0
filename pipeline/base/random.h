/* random.h -- random numbers as a function of (seed, stream, index).
 *
 * There is no generator state: any rank can compute number `index`, in any order.  The numbers are
 * those of Philox4x32-10 in Random123 (Salmon et al., "Parallel random numbers: as easy as 1, 2,
 * 3", SC 2011).
 */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>

/* The use of the numbers of a stream.  Streams of one seed are independent. */
enum random_stream {
    RANDOM_SHUFFLE = 1,     /* keys of the permutation of activation rows */
    RANDOM_SEQUENCES,       /* keys of the choice of sequences */
    RANDOM_DECODER,         /* initial decoder weights */
    RANDOM_ENCODER,         /* initial encoder weights, unless they are a copy of the decoder's */
    RANDOM_PROMPTS,         /* words of prompts */
    RANDOM_EDGES,           /* edges of a sample */
    RANDOM_SETS,            /* sets of nodes */
    RANDOM_GREEDY,          /* nodes that a greedy search tries */
    RANDOM_WEIGHTS,         /* the order of weights that are permuted */
    RANDOM_GATES,           /* noise of gates that are trained */
    RANDOM_TOKENS,          /* tokens of completions */
    RANDOM_VECTORS,         /* the order in which an approximator learns from vectors */
    RANDOM_STARTS,          /* where an inversion starts */
};

/* 128 random bits, as four words. */
void random_words(uint32_t words[4], uint64_t seed, uint32_t stream, uint64_t index);

/* Uniform in [0, 1), 24 random bits. */
float random_uniform(uint64_t seed, uint32_t stream, uint64_t index);

#endif
