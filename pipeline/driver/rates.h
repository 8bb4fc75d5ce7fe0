/* rates.h -- how fast a core does the work of each stage.
 *
 * They are effective rates: work that any implementation must do, over the time that this
 * one took with all it does besides, but for what each task takes that does not grow with its
 * work: opening, publishing and syncing files, reading weights.  They come from the suite, from
 * a measurement of this machine (calibrate.h) that is kept in ~/.cache/saemill/rates.json, or, for
 * want of both, from the machine that this was written on.
 */
#ifndef RATES_H
#define RATES_H

#include "base/file.h"
#include "suite/stages.h"

struct stage_rate {
    double work;            /* a second and core; bytes of compressed text (tokenize), flops of
                               forward passes (harvest, evaluate), bytes of rows, not compressed,
                               in each pass (shuffle), flops of the encoder's product (train),
                               bytes of the release (release) */
    double task;            /* seconds that each task takes besides */
};

struct rates {
    struct stage_rate stage[STAGES];
    double start;           /* seconds that starting the ranks takes */
    double kept;            /* bytes on disk of a byte of bf16 rows; rows of float32 shrink less */
    double token_bytes;     /* bytes of compressed text that make a token */
    double rows;            /* rows of a token that is fed to the model: no BOS, no padding */
    char   source[96];      /* where they come from, for people */
    bool   of_others;       /* another machine's, or measured with another suite's shapes */
};

/* The rates for a suite.  What was measured on the text of another suite counts for the
 * machine only.  Local. */
void rates_of(struct rates *rates, const struct suite *suite);

/* Keep what was measured with this suite.  Local.  E_IO, E_SPACE. */
enum status rates_keep(const struct rates *rates, const struct suite *suite);

/* What a stage took for some of its work, when its ranks had started. */
struct sample {
    double seconds, tasks, work;
};

/* The rate that explains both samples, on `cores` cores: seconds = tasks x task +
 * work / (cores x rate).  If there is none, because they are one and the same or contradict each
 * other, `more` is believed, and tasks take nothing besides.  Local. */
struct stage_rate rates_fit(struct sample less, struct sample more, int cores);

/* The file: under $XDG_CACHE_HOME, by default ~/.cache. */
void rates_path(char path[PATH_LENGTH]);

#endif
