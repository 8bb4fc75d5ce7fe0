#include "base/random.h"

#include <Random123/philox.h>

void random_words(uint32_t words[4], uint64_t seed, uint32_t stream, uint64_t index)
{
    const philox4x32_key_t key = { { (uint32_t)seed, (uint32_t)(seed >> 32) } };
    const philox4x32_ctr_t counter = { { (uint32_t)index, (uint32_t)(index >> 32), stream, 0 } };
    const philox4x32_ctr_t bits = philox4x32(counter, key);

    for (int i = 0; i < 4; i++)
        words[i] = bits.v[i];
}

float random_uniform(uint64_t seed, uint32_t stream, uint64_t index)
{
    uint32_t words[4];

    random_words(words, seed, stream, index);
    return (float)(words[0] >> 8) * 0x1p-24f;
}
