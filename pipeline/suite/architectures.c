#include "suite/architectures.h"

#include <string.h>

const struct architecture_traits ARCHITECTURES[] = {
#define ARCHITECTURE(id, word, meaning, ...) [ARCHITECTURE_##id] = { .name = word, __VA_ARGS__ },
#include "suite/architectures.def"
};

const char ARCHITECTURES_WORDS[] =
#define ARCHITECTURE(id, name, meaning, ...) " " name
#include "suite/architectures.def"
;

const char ARCHITECTURES_MEANING[] =
#define ARCHITECTURE(id, name, meaning, ...) "  " name ": " meaning "."
#include "suite/architectures.def"
;

bool architectures_find(enum architecture_id *id, const char *name)
{
    for (int a = 0; a < ARCHITECTURES_COUNT; a++)
        if (strcmp(ARCHITECTURES[a].name, name) == 0) {
            *id = (enum architecture_id)a;
            return true;
        }
    return false;
}
