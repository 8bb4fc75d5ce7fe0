#include "shard/store.h"

#include <string.h>

int64_t store_bytes(enum store store)
{
    return store == STORE_BF16 ? 2 : 4;
}

const char *store_name(enum store store)
{
    return store == STORE_BF16 ? "bf16" : "f32";
}

enum status store_parse(enum store *store, const char *name)
{
    if (strcmp(name, "bf16") != 0 && strcmp(name, "f32") != 0)
        return refuse(E_USAGE, "values cannot be stored as '%s'; choose bf16 or f32", name);
    *store = strcmp(name, "bf16") == 0 ? STORE_BF16 : STORE_F32;
    return OK;
}
