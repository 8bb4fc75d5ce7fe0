#include "base/allocate.h"
#include "base/die.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void *allocate(long long count, long long bytes)
{
    void *memory;

    if (count < 0 || bytes < 0)
        die_as(E_IO, "bug: asked to allocate %lld x %lld bytes", count, bytes);
    memory = calloc(count > 0 ? (size_t)count : 1, bytes > 0 ? (size_t)bytes : 1);
    if (memory == NULL)
        die("no memory for %lld x %lld bytes", count, bytes);
    return memory;
}

/* Ask for huge pages in the whole pages of this memory.  A failure of this advice is ignored. */
static void *in_huge_pages(char *memory, long long bytes)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t skipped = (page - (uintptr_t)memory % page) % page, all = (uintptr_t)bytes;

    if (all > skipped + page)
        madvise(memory + skipped, (all - skipped) / page * page, MADV_HUGEPAGE);
    return memory;
}

static void *json_block(size_t bytes)
{
    void *block = malloc(bytes > 0 ? bytes : 1);

    if (block == NULL)
        die("no memory for %zu bytes of JSON", bytes);
    return block;
}

void allocate_for_json(void)
{
    json_set_alloc_funcs(json_block, free);
}

void *allocate_big(long long count, long long bytes)
{
    return in_huge_pages(allocate(count, bytes), count * bytes);
}

void *allocate_aligned(long long bytes)
{
    char *memory = aligned_alloc(64, (size_t)(bytes + 63) / 64 * 64);

    if (memory == NULL)
        die("no memory for %lld bytes", bytes);
    return in_huge_pages(memory, bytes);
}
