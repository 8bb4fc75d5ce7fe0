/* rates.h -- how fast a core does the work of each stage.
 *
 * They are effective rates: work that any implementation must do, over the time that this
 * one took with all it does besides.  They come from the suite, from a measurement of this
 * machine (measure.h) that is kept in ~/.cache/saemill/rates.json, or, for want of both, from
 * the machine that this was written on.
 */
#ifndef RATES_H
#define RATES_H

#include "base/file.h"
#include "suite/suite.h"

struct rates {
    double tokenize;        /* bytes of compressed text a second and core */
    double harvest;         /* flops of the forward pass a second and core */
    double shuffle;         /* bytes of rows, not compressed, a second and core, each pass */
    double train;           /* flops of the encoder's product a second and core */
    double evaluate;        /* flops of the forward passes a second and core */
    double start;           /* seconds that starting a stage takes */
    double kept;            /* bytes on disk of a byte of bf16 rows; rows of float32 shrink less */
    double token_bytes;     /* bytes of compressed text that make a token */
    double rows;            /* rows of a token that is fed to the model: no BOS, no padding */
    char   source[64];      /* where they come from, for people */
};

/* The rates for a suite.  What was measured on the text of another suite counts for the
 * machine only.  Local. */
void rates_of(struct rates *rates, const struct suite *suite);

/* Keep what was measured with this suite.  Local.  E_IO, E_ROOM. */
enum status rates_keep(const struct rates *rates, const struct suite *suite);

/* The file: under $XDG_CACHE_HOME, by default ~/.cache. */
void rates_path(char path[PATH_LENGTH]);

#endif
