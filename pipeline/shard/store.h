/* store.h -- the types in which activations are stored. */
#ifndef STORE_H
#define STORE_H

#include "base/refuse.h"

#include <stdint.h>

/* How numbers are stored on disk. */
enum store { STORE_F32, STORE_BF16 };

/* Bytes of a number; "f32" or "bf16"; the store of that name (E_USAGE if there is none). */
int64_t     store_bytes(enum store store);
const char *store_name(enum store store);
enum status store_parse(enum store *store, const char *name);

#endif
