/* storage.h -- the arrays of a product, declared once: to be counted, allocated and freed.
 *
 * Each product has one function, ..._storage, that names its arrays.  So the bytes that are
 * planned are those of the arrays that are made.
 */
#ifndef STORAGE_H
#define STORAGE_H

#include <stdint.h>

struct storage {
    enum { STORAGE_COUNT, STORAGE_ALLOCATE, STORAGE_FREE } action;
    int64_t bytes;          /* that all arrays so far will use */
};

/* Count, allocate or free an array: STORAGE(storage, x->array, count). */
#define STORAGE(storage, array, count)                                                            \
    ((array) = storage_array((storage), (array), (count), sizeof *(array)))

/* The same for entries of lists: memory for `count` of them, of which `used` will be written.
 * Pages that are never touched cost nothing. */
#define STORAGE_ENTRIES(storage, array, count, used)                                              \
    ((array) = storage_entries((storage), (array), (count), (used), sizeof *(array)))

/* What these macros call.  They return the array from now on.  Memory is 0.  Local. */
void *storage_array(struct storage *storage, void *array, int64_t count, int64_t size);
void *storage_entries(struct storage *storage, void *array, int64_t count, double used,
                      int64_t size);

/* Memory aligned to 64 bytes, as oneDNN wants it, in huge pages.  The contents are undefined.
 * Local. */
void *storage_aligned(struct storage *storage, void *memory, int64_t bytes);

#endif
