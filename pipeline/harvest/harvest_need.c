#include "harvest/harvest_need.h"
#include "harvest/norm_filter.h"
#include "harvest/taps.h"

int64_t harvest_rank_bytes(const struct stage_host *host, int rank)
{
    const struct suite *suite = host->suite;
    const enum precision precision = suite->model.precision;
    const int64_t context = suite->corpus.context, shard = suite->harvest.shard;
    const int64_t reading = weights_reading_bytes(host->model, host->threads);
    struct taps taps;

    taps_list(&taps, host->tasks->taps, host->tasks->taps_count, host->model,
              suite->harvest.store);
    int64_t bytes = taps_bytes(&taps, host->model, precision, suite->harvest.block, context, rank,
                               host->nodes * host->ranks, host->threads);
    bytes += shard * context * (int64_t)sizeof(int32_t);    /* ids */
    if (suite->harvest.max_norm > 0)
        bytes += norm_filter_bytes(taps.streams, taps.count, shard * context);
    taps_free(&taps);
    return bytes > reading ? bytes : reading;
}

struct stage_memory harvest_bytes(const struct stage_host *host)
{
    const enum precision precision = host->suite->model.precision;
    const int64_t others = harvest_rank_bytes(host, 1);

    return (struct stage_memory){
        .rank = others,
        .node = weights_bytes(host->model, precision) + harvest_rank_bytes(host, 0) - others,
    };
}

double harvest_work(const struct stage_host *host)
{
    double work = 0;

    for (int t = 0; t < host->tasks->taps_count; t++) {
        const double to_tap = forward_work(host->model, host->tasks->taps[t],
                                           host->suite->corpus.context);
        work = to_tap > work ? to_tap : work;
    }
    return work;
}
