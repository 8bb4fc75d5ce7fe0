/* store.h -- the types in which activations are stored. */
#ifndef STORE_H
#define STORE_H

#include "suite/keys.h"     /* enum store, the choices of harvest.store */

#include <stdint.h>

/* Bytes of a number; "f32" or "bf16". */
int64_t     store_bytes(enum store store);
const char *store_name(enum store store);

#endif
