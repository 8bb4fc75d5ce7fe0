/* step_memory.h -- what there must be room for in a step of some trainings.
 *
 * Found from their recipes and shapes alone, before anything is allocated: so plan can ask, too.
 * Of the lists it is what the start of training fills, when the thresholds have not yet learnt to
 * leave out anything.
 */
#ifndef STEP_MEMORY_H
#define STEP_MEMORY_H

#include "step/training.h"

/* What a step has of things that depend on whether lists are long (turns.h); the most. */
struct step_phase {
    int    residuals;       /* that are kept */
    double found;           /* entries that the encoder finds in a turn, or in all rows */
    double listed, kept;    /* that rows' lists hold of them, and that stay */
};

struct step_room {
    int64_t      batch;
    struct shape shape;     /* the widest of each */
    int          residuals; /* the most */
    bool         dense;     /* some training takes dense products, when it starts at least */
    bool         skip;      /* some transcoder has a skip matrix */
    bool         short_tile;    /* some dictionary does not end with a whole tile */
    bool         overlaps;  /* some architecture may list an entry in both sections */
    int          slices;    /* the most residuals that gradients are made of at a time */
    bool         remade;    /* some of these are not kept */
    struct step_phase while_long, while_short;
    enum precision precision;   /* bf16 if one training's is */
};

/* Make it hold a training besides what it holds.  Local. */
void step_room_add(struct step_room *room, const struct recipe *recipe, struct shape shape);

#endif
