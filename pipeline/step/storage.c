#include "step/storage.h"
#include "base/allocate.h"

#include <stdlib.h>

static void *freed(void *array)
{
    free(array);
    return NULL;
}

void *storage_array(struct storage *storage, void *array, int64_t count, int64_t size)
{
    return storage_entries(storage, array, count, (double)count, size);
}

void *storage_entries(struct storage *storage, void *array, int64_t count, double used,
                      int64_t size)
{
    storage->bytes += (int64_t)(used * (double)size);
    switch (storage->action) {
    case STORAGE_ALLOCATE:
        return allocate(count, size);
    case STORAGE_FREE:
        return freed(array);
    default:
        return array;
    }
}

void *storage_aligned(struct storage *storage, void *memory, int64_t bytes)
{
    storage->bytes += bytes;
    switch (storage->action) {
    case STORAGE_ALLOCATE:
        return allocate_aligned(bytes);
    case STORAGE_FREE:
        return freed(memory);
    default:
        return memory;
    }
}
