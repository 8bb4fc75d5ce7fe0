/* allocate.h -- allocation that ends the job if there is no memory.  Everything here is Local. */
#ifndef ALLOCATE_H
#define ALLOCATE_H

/* calloc() that calls die() when there is no memory.  Caller frees. */
void *allocate(long long count, long long bytes);

/* From now on the JSON library ends the job, too, if there is no memory: its makers return NULL
 * then, and an object without a member is written as if it were whole. */
void allocate_for_json(void);

/* The same, backed by huge pages where possible: fewer TLB misses on irregular access. */
void *allocate_big(long long count, long long bytes);

/* The same, aligned to 64 bytes as oneDNN prefers.  The contents are undefined. */
void *allocate_aligned(long long bytes);

#endif
