#include "shard/store.h"

int64_t store_bytes(enum store store)
{
    return store == STORE_BF16 ? 2 : 4;
}

const char *store_name(enum store store)
{
    return store == STORE_BF16 ? "bf16" : "f32";
}
