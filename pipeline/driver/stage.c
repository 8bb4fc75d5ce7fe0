#include "driver/stage.h"

#include <string.h>

static const struct {
    const char *name, *makes, *tasks;
} STAGE[STAGES] = {
    { "tokenize", "corpus files", "corpus files" },
    { "harvest", "shards", "shards" },
    { "shuffle", "streams", "streams" },
    { "train", "autoencoders", "streams" },
    { "evaluate", "autoencoders", "streams" },
    { "release", "folder", "folder" },
};

const char *stage_name(enum stage stage)
{
    return STAGE[stage].name;
}

enum status stage_parse(enum stage *stage, const char *name)
{
    for (int s = 0; s < STAGES; s++)
        if (strcmp(STAGE[s].name, name) == 0) {
            *stage = (enum stage)s;
            return OK;
        }
    return refuse(E_USAGE, "there is no stage '%s'", name);
}

const char *stage_makes(enum stage stage)
{
    return STAGE[stage].makes;
}

const char *stage_tasks(enum stage stage)
{
    return STAGE[stage].tasks;
}

bool stage_follows_streams(enum stage stage)
{
    return stage == STAGE_TRAIN || stage == STAGE_EVALUATE;
}
