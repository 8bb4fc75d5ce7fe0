/* stages.h -- the stages of runs: the one table.
 *
 * A stage is a program, stages/NAME.c, a row of STAGES_TABLE, and its traits: what is known of its
 * tasks, time and memory before it runs.  The traits stand next to the stage's own code, in
 * NAME_stage.c of its room, and driver/stage.h finds them.
 */
#ifndef STAGES_H
#define STAGES_H

#include "base/path.h"
#include "suite/keys.h"

#include <stdio.h>

/* In their order: number, kind of file (kinds.h), name, folder in RUN, what the stage makes, and
 * what each of its tasks makes a part of; the stage that it waits for, and how: its task t for task
 * t of that stage (FOLLOWS_TASK), or every task for all of it. */
#define STAGES_TABLE(ROW) \
    ROW(TOKENIZE, SAES, "tokenize", "tokens", "corpus files", "corpus files", \
        TOKENIZE, FOLLOWS_NONE) \
    ROW(HARVEST, SAES, "harvest", "harvest", "shards", "shards", TOKENIZE, FOLLOWS_ALL) \
    ROW(SHUFFLE, SAES, "shuffle", "shuffle", "streams", "streams", HARVEST, FOLLOWS_ALL) \
    ROW(TRAIN, SAES, "train", "train", "autoencoders", "streams", SHUFFLE, FOLLOWS_TASK) \
    ROW(EVALUATE, SAES, "evaluate", "evaluate", "autoencoders", "streams", TRAIN, FOLLOWS_TASK) \
    ROW(RELEASE, SAES, "release", "release", "folder", "folder", EVALUATE, FOLLOWS_ALL) \
    ROW(CIRCUIT, CIRCUIT, "circuit", "circuit", "files", "results", CIRCUIT, FOLLOWS_NONE) \
    ROW(INTERVENE, INTERVENE, "intervene", "intervene", "files", "results", \
        INTERVENE, FOLLOWS_NONE) \
    ROW(INVERT, INVERT, "invert", "invert", "files", "results", INVERT, FOLLOWS_NONE)

#define STAGES_NUMBER(stage, ...) STAGE_##stage,
enum stage { STAGES_TABLE(STAGES_NUMBER) STAGES };

enum stage_follows { FOLLOWS_NONE, FOLLOWS_ALL, FOLLOWS_TASK };

struct stage_row {
    enum suite_kind    kind;
    const char        *name, *folder, *makes, *tasks;
    enum stage         after;
    enum stage_follows follows;
};

/* The row of a stage. */
const struct stage_row *stage_row(enum stage stage);

/* Has a run of this file the stage?  It has those of the file's kind.  A stage that a run does not
 * have has no tasks and takes nothing, and whoever prints leaves it out. */
bool suite_has_stage(const struct suite *suite, enum stage stage);

/* The last of them: for a task file the only one. */
enum stage stage_last(const struct suite *suite);

/* Its name. */
const char *stage_name(enum stage stage);

/* The reverse.  E_USAGE if there is no stage of that name.  Local. */
enum status stage_parse(enum stage *stage, const char *name);

/* --- planning ---------------------------------------------------------------------- */

struct lm_config;
struct tasks;

/* What a stage runs on, or is planned for: the figures by which it decides what it holds. */
struct stage_host {
    const struct suite     *suite;
    const struct lm_config *model;
    const struct tasks     *tasks;
    int     nodes;
    int     cores;          /* of each node */
    int     ranks;          /* of each node */
    int     threads;        /* of each rank */
    int64_t memory;         /* bytes that the ranks of a node may use together */
    int64_t weights;        /* bytes of the model's, which a node has once: weights_bytes() */
};

/* What a stage allocates: bytes of each rank, and what the ranks of a node have in common. */
struct stage_memory {
    int64_t rank, node;
};

/* All that a node needs, libraries included. */
int64_t stage_node_bytes(const struct stage_host *host, struct stage_memory need);

/* Of two things that a stage does one after the other, what the one takes that takes more. */
struct stage_memory stage_larger(const struct stage_host *host, struct stage_memory a,
                                 struct stage_memory b);

/* How much there is of everything, and how it shrinks on disk. */
struct stage_amounts {
    double  text;           /* bytes of the corpus, compressed */
    int64_t files;          /* of the corpus */
    double  all;            /* tokens of the corpus */
    double  tokens;         /* fed to the model by harvest */
    double  held_out;       /* and by evaluate */
    double  rows;           /* of each stream */
    double  kept;           /* bytes on disk of a byte of bf16 rows */
};

/* Bytes that exist only while a stage is at work: of one task at most, of all. */
struct stage_passing {
    double task, all;
};

/* What a stage costs, in units that no machine changes. */
struct stage_cost {
    int64_t tasks;
    double  work;           /* in the unit of the stage's rate (driver/rates.h) */
    double  longest;        /* share of it in the longest task */
    int64_t pieces;         /* equal parts of a task, each of which is one rank's; 0: many */
    double  read, written;  /* bytes on disk */
    double  left;           /* of them, bytes that stay */
    double  files;
    struct stage_passing passing;
};

/* What is known of a stage before it runs.  Everything here is Local; a function that is NULL is
 * not needed. */
struct stage_traits {
    const char *about;          /* what lies in its folder */
    bool        several_nodes;  /* a task gets all nodes of the suite's resources, else one */
    double      rate;           /* work of a core in a second, where nobody has measured it */
    double      rate_unit;      /* and how people write it: 1e9, "GFLOP/s" */
    const char *rate_name;
    const char *less_memory;    /* what to change if memory is short: ", or a smaller ..." */
    const char *less_time;      /* if time is: ", or ..." */

    /* The rate that the suite gives, in rate_unit; 0 if it does not. */
    double (*given)(const struct suite *suite);
    /* Ranks of a node, if memory were no matter; NULL: one a core. */
    int (*ranks)(const struct stage_host *host);
    /* What a task needs that needs most; NULL: next to nothing. */
    struct stage_memory (*bytes)(const struct stage_host *host);
    /* What all tasks cost. */
    struct stage_cost (*cost)(const struct stage_host *host, const struct stage_amounts *amounts);

    /* How many tasks are there?  0: that is not known before the stage it waits for is done.
     *   ready  is it?
     * E_USAGE, E_IO, E_FORMAT. */
    enum status (*count)(const struct suite *suite, const struct tasks *tasks, bool ready,
                         int64_t *count);
    /* The path of thing number i that a task makes; false if it makes no more. */
    bool (*path)(char path[PATH_LENGTH], const struct suite *suite, const struct tasks *tasks,
                 int64_t task, int i);
    /* The path of the file that sums up all tasks, which the stage makes when they are done; false
     * if there is none.  NULL: there never is. */
    bool (*summary)(char path[PATH_LENGTH], const struct suite *suite);
    /* Is that thing there, but something else of it still to be removed?  NULL: never. */
    bool (*lingers)(const struct suite *suite, const struct tasks *tasks, int64_t task, int i);
    /* A number that grows whenever what another attempt would go on from grows; NULL: a task
     * starts from its beginning. */
    int64_t (*progress)(const struct suite *suite, const struct tasks *tasks, int64_t task);
    /* Write, for the plan, what its results come from: " from 20 prompts".  NULL: nothing. */
    void (*source)(FILE *out, const struct suite *suite);
    /* Does a task read other streams than its own?  NULL: no. */
    bool (*crosses_streams)(const struct suite *suite);
};

#define STAGES_TRAITS(stage, ...) extern const struct stage_traits stage##_STAGE;
STAGES_TABLE(STAGES_TRAITS)

#endif
