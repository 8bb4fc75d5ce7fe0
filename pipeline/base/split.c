#include "base/split.h"
#include "base/minmax.h"

#include <assert.h>

struct range split_range(int64_t n, int part, int parts)
{
    const int64_t each = n / parts, longer = n % parts;

    assert(0 <= part && part < parts && n >= 0);
    return (struct range){
        .first = part * each + min_int64(part, longer),
        .end = (part + 1) * each + min_int64(part + 1, longer),
    };
}

int split_part(int64_t n, int64_t i, int parts)
{
    const int64_t each = n / parts, longer = n % parts, in_longer = longer * (each + 1);

    assert(0 <= i && i < n);
    return (int)(i < in_longer ? i / (each + 1) : longer + (i - in_longer) / each);
}

int64_t split_blocks(int64_t n, int64_t block)
{
    assert(block > 0 && n >= 0);
    return n / block + (n % block != 0);
}

struct range split_block(int64_t n, int64_t block, int64_t index)
{
    assert(0 <= index && index < split_blocks(n, block));
    return (struct range){ .first = index * block, .end = min_int64(n, (index + 1) * block) };
}

int64_t split_find(const int64_t *before, int64_t things, int64_t at)
{
    int64_t low = 0, high = things;     /* before[low] <= at < before[high] */

    assert(before[0] <= at && at < before[things]);
    while (high - low > 1) {
        const int64_t middle = (low + high) / 2;
        *(before[middle] <= at ? &low : &high) = middle;
    }
    return low;
}
