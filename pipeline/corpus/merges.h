/* merges.h -- byte-pair encoding: the symbols of a word are merged, two neighbours at a time.
 *
 * A list of merges, best first, gives pairs of tokens and the token that each pair becomes.  The
 * best merge that is possible anywhere in the word is made, at its first position, until none is
 * possible (Sennrich et al., "Neural machine translation of rare words with subword units",
 * arXiv:1508.07909).  Everything is Local.
 */
#ifndef MERGES_H
#define MERGES_H

#include <stdint.h>

struct merge {
    int32_t left, right, made;
};

struct merges {
    int64_t       count;        /* at most MERGES_MAX */
    struct merge *list;         /* [count] best first */
    int32_t      *slots;        /* hash table of positions in the list, -1 where empty */
    uint64_t      mask;
};

enum { MERGES_MAX = 1 << 24 };

/* Make the hash table, once the list is filled.  merges_free() accepts merges without one. */
void merges_index(struct merges *merges);
void merges_free(struct merges *merges);

/* Buffers for merging a word; they grow with the longest word.  Begin with {0}. */
struct merging {
    int64_t   capacity;         /* in symbols */
    int64_t  *next, *before;    /* [capacity] neighbours of each symbol that is left */
    uint64_t *heap;             /* [3 capacity] possible merges, the best on top */
    int64_t   heaped;
};

void merges_free_buffers(struct merging *merging);

/* Merge what can be merged.
 *   ids [count]  in: symbols of the word; out: its tokens, as many as are returned
 * Time: count * log(count). */
int64_t merges_apply(const struct merges *merges, int32_t *ids, int64_t count,
                     struct merging *work);

#endif
