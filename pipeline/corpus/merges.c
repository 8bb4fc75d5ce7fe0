#include "corpus/merges.h"
#include "base/allocate.h"
#include "base/refuse.h"

#include <stdlib.h>

/* --- the hash table ------------------------------------------------------------------ */

static uint64_t hash_pair(int32_t left, int32_t right)
{
    const uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;

    return pair * 0x9e3779b97f4a7c15u >> 24;    /* 2^64 over the golden ratio */
}

/* The slot of a pair, or the empty slot where the pair belongs. */
static int32_t *slot_of(const struct merges *merges, int32_t left, int32_t right)
{
    uint64_t at = hash_pair(left, right);

    for (;; at++) {
        int32_t *slot = &merges->slots[at & merges->mask];
        if (*slot < 0 || (merges->list[*slot].left == left && merges->list[*slot].right == right))
            return slot;
    }
}

void merges_index(struct merges *merges)
{
    merges->mask = 15;
    while (merges->mask < 2 * (uint64_t)merges->count)
        merges->mask = 2 * merges->mask + 1;
    merges->slots = allocate((long long)merges->mask + 1, sizeof *merges->slots);
    for (uint64_t i = 0; i <= merges->mask; i++)
        merges->slots[i] = -1;
    for (int32_t i = 0; i < merges->count; i++) {
        int32_t *slot = slot_of(merges, merges->list[i].left, merges->list[i].right);
        if (*slot < 0)
            *slot = i;
    }
}

void merges_free(struct merges *merges)
{
    free(merges->list);
    free(merges->slots);
    *merges = (struct merges){0};
}

/* --- possible merges, the best on top ------------------------------------------------ */

/* The high bits of an entry are the merge's position in the list, the low ones the position of its
 * left symbol in the word: so the smallest entry is the best merge, at its first position. */
enum { POSITION_BITS = 40 };

static void heap_add(struct merging *work, uint64_t entry)
{
    uint64_t *heap = work->heap;
    int64_t at = work->heaped++;

    for (; at > 0 && heap[(at - 1) / 2] > entry; at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = entry;
}

static uint64_t heap_take(struct merging *work)
{
    uint64_t *heap = work->heap;
    const uint64_t top = heap[0], last = heap[--work->heaped];
    int64_t at = 0;

    for (int64_t kid; (kid = 2 * at + 1) < work->heaped; at = kid) {
        if (kid + 1 < work->heaped && heap[kid + 1] < heap[kid])
            kid++;
        if (heap[kid] >= last)
            break;
        heap[at] = heap[kid];
    }
    heap[at] = last;
    return top;
}

/* --- a word -------------------------------------------------------------------------- */

static void reserve(struct merging *work, int64_t count)
{
    if (count <= work->capacity)
        return;
    merges_free_buffers(work);
    work->capacity = 2 * count;
    work->next = allocate(work->capacity, sizeof *work->next);
    work->before = allocate(work->capacity, sizeof *work->before);
    work->heap = allocate(3 * work->capacity, sizeof *work->heap);
}

void merges_free_buffers(struct merging *work)
{
    free(work->next);
    free(work->before);
    free(work->heap);
    *work = (struct merging){0};
}

/* Add the merge of symbol `at` and the next one to the heap, if the list has it. */
static void consider(const struct merges *merges, const int32_t *ids, int64_t at,
                     struct merging *work, int64_t count)
{
    if (at < 0 || work->next[at] == count)
        return;
    const int32_t merge = *slot_of(merges, ids[at], ids[work->next[at]]);
    if (merge >= 0)
        heap_add(work, (uint64_t)merge << POSITION_BITS | (uint64_t)at);
}

/* A symbol that was merged into the one before it becomes -1.  The heap may hold merges of symbols
 * that have changed since; these are skipped. */
int64_t merges_apply(const struct merges *merges, int32_t *ids, int64_t count,
                     struct merging *work)
{
    int64_t left = 0;

    reserve(work, count);
    work->heaped = 0;
    for (int64_t i = 0; i < count; i++) {
        work->next[i] = i + 1;
        work->before[i] = i - 1;
    }
    for (int64_t i = 0; i < count; i++)
        consider(merges, ids, i, work, count);
    while (work->heaped > 0) {
        const uint64_t entry = heap_take(work);
        const struct merge merge = merges->list[entry >> POSITION_BITS];
        const int64_t at = (int64_t)(entry & (((uint64_t)1 << POSITION_BITS) - 1));
        const int64_t second = work->next[at];

        if (ids[at] != merge.left || second == count || ids[second] != merge.right)
            continue;
        ids[at] = merge.made;
        ids[second] = -1;
        work->next[at] = work->next[second];
        if (work->next[at] < count)
            work->before[work->next[at]] = at;
        consider(merges, ids, work->before[at], work, count);
        consider(merges, ids, at, work, count);
    }
    for (int64_t i = 0; i < count; i = work->next[i])
        ids[left++] = ids[i];
    return left;
}
