#include "shuffle/partition.h"
#include "base/agree.h"
#include "base/allocate.h"

#include <stdlib.h>

/* A run that is to be written, for the writer. */
struct write_job {
    struct shuffle_state   *s;
    const struct partition *partition;
    struct sort_buffer     *buffer;
};

/* Read run number `number` into memory, and find the group of each row.  Local. */
static enum status read_run(struct shuffle_state *s, struct row_source *source,
                            const struct partition *partition, struct sort_buffer *buffer,
                            int64_t number)
{
    const int64_t bytes = s->memory.record_bytes, rows = range_length(source->rows);
    struct range left = split_block(rows, s->plan.run_rows, number);
    int64_t more;
    enum status st = OK;

    buffer->number = number;
    buffer->count = 0;
    while (left.first < left.end) {
        TRY(row_source_read(source, record_at(buffer->records, bytes, buffer->count), bytes,
                            range_length(left), &more, &left));
        buffer->count += more;
    }
    for (int64_t i = 0; i < buffer->count; i++) {
        const int64_t row = record_at(buffer->records, bytes, i)->row;
        const int64_t window = shuffle_plan_window(&s->plan, row);

        buffer->groups[i] = (int32_t)((window - partition->windows.first)
                                      / partition->group_windows);
    }
done:
    return st;
}

/* The writer's task: sort a run by group, write its spill file, hand that to the publisher.
 * Local. */
static enum status write_run(void *of)
{
    const struct write_job *job = of;
    const struct spill_run run = {
        .records = job->buffer->records, .count = job->buffer->count,
        .groups = job->buffer->groups, .groups_count = (int32_t)job->partition->groups,
        .sorted = job->buffer->sorted, .scratch = job->s->buffers.spill_scratch,
    };
    char path[PATH_LENGTH], part[PATH_LENGTH];
    enum status st;

    spill_path(path, job->partition->folder, job->buffer->number);
    path_print(part, "%s.part", path);
    TRY(spill_write(part, &job->s->form, &run));
    shuffle_state_publish(job->s, path);
done:
    return st;
}

/* List the runs that have no spill file yet, as rank 0 sees it.  Caller frees.  Collective. */
static int64_t *list_missing(const struct shuffle_state *s, const struct partition *partition,
                             int64_t *count)
{
    int64_t *missing = allocate(partition->runs, sizeof *missing);
    char path[PATH_LENGTH];

    *count = 0;
    for (int64_t run = 0; s->run->rank == 0 && run < partition->runs; run++) {
        spill_path(path, partition->folder, run);
        if (!file_exists(path))
            missing[(*count)++] = run;
    }
    MPI_Bcast(count, 1, MPI_INT64_T, 0, s->run->comm);
    MPI_Bcast(missing, comm_count(*count), MPI_INT64_T, 0, s->run->comm);
    return missing;
}

/* Read and write the missing runs; one is read while another is written.  A rank takes
 * consecutive runs, so that it reads a chunk that two of them share only once.  Collective. */
static enum status write_missing(struct shuffle_state *s, struct row_source *source,
                                 const struct partition *partition, const int64_t *missing,
                                 int64_t count)
{
    const struct range mine = split_range(count, s->run->rank, s->run->size);
    const int64_t rounds = split_blocks(count, s->run->size);
    struct write_job jobs[2];
    enum status st = OK, written;

    for (int64_t round = 0; round < rounds; round++) {
        const int64_t at = mine.first + round;
        struct sort_buffer *buffer = &s->buffers.sort[round % 2];

        st = at < mine.end ? read_run(s, source, partition, buffer, missing[at]) : OK;
        written = shuffle_state_await(s);
        phase_enter(PHASE_NONE);
        comm_meet(s->run->comm);
        phase_enter(PHASE_COMPUTE);
        TRY_ALL(s->run->comm, st != OK ? st : written);
        if (at < mine.end) {
            jobs[round % 2] = (struct write_job){ s, partition, buffer };
            worker_begin(&s->writer, write_run, &jobs[round % 2]);
        }
        s->done += s->run->size * s->plan.run_rows;
        shuffle_state_tell(s, "partition pass");
        TRY(run_stopping(s->run) ? run_stopped() : OK);
    }
done:
    written = shuffle_state_settle(s);
    return st != OK ? st : agree(s->run->comm, written);
}

enum status partition_run(struct shuffle_state *s, struct row_source *source,
                          const struct partition *partition)
{
    const int64_t done = s->done, rows = range_length(source->rows);
    int64_t count, *missing = NULL;
    enum status st;

    /* A window may still be in the memory that the sort buffers share. */
    TRY_ALL(s->run->comm, shuffle_state_await(s));
    missing = list_missing(s, partition, &count);
    s->skipped += (partition->runs - count) * s->plan.run_rows;
    TRY_ROOT(s->run->comm, file_make_folder(partition->folder));
    TRY(write_missing(s, source, partition, missing, count));
    s->done = done + rows;
done:
    free(missing);
    return st;
}
