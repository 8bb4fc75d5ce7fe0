#include "intervene/steering_texts.h"
#include "base/agree.h"
#include "base/minmax.h"
#include "base/text.h"
#include "intervene/given_texts.h"

#include <stdlib.h>

/* Local; rank 0 alone. */
static enum status read_all(struct steering_texts *texts, const struct suite *suite,
                            const struct lm_config *config)
{
    const struct suite_intervene *i = &suite->intervene;
    struct wording wording = {0};
    enum status st;

    TRY(wording_open(&wording, suite, config));
    texts->bos = wording.bos;
    TRY(given_texts_read(&texts->retain, &wording, suite, i->retain, i->retain_count));
    TRY(given_texts_read(&texts->prompts, &wording, suite, i->prompts, i->prompts_count));
    TRY(given_texts_read(&texts->positive, &wording, suite, i->positive, i->positive_count));
    TRY(given_texts_read(&texts->negative, &wording, suite, i->negative, i->negative_count));
done:
    wording_close(&wording);
    return st;
}

enum status steering_texts_read(struct steering_texts *texts, const struct suite *suite,
                                const struct lm_config *config, MPI_Comm comm)
{
    enum status st;

    *texts = (struct steering_texts){0};
    TRY_ROOT(comm, read_all(texts, suite, config));
    MPI_Bcast(&texts->bos, 1, MPI_INT32_T, 0, comm);
    prompts_share(&texts->retain, comm);
    prompts_share(&texts->prompts, comm);
    prompts_share(&texts->positive, comm);
    prompts_share(&texts->negative, comm);
done:
    return st;
}

void steering_texts_free(struct steering_texts *texts)
{
    prompts_free(&texts->retain);
    prompts_free(&texts->prompts);
    prompts_free(&texts->positive);
    prompts_free(&texts->negative);
}

/* Ids of clean and corrupted prompts, of four kinds. */
int64_t steering_texts_bytes(const struct suite *suite)
{
    const struct suite_intervene *i = &suite->intervene;

    return 4 * 2 * i->texts * i->context * (int64_t)sizeof(int32_t);
}

/* A line is a prompt, and a token is a byte of it at least; BOS is one more. */
static void add_lines(struct steering_prompts_size *size, FILE *in)
{
    char *line = NULL;
    size_t capacity = 0;
    long bytes;

    while ((bytes = text_line(&line, &capacity, in)) >= 0) {
        size->prompts++;
        size->longest = max_int64(size->longest, bytes + 1);
    }
    free(line);
}

struct steering_prompts_size steering_texts_prompts(const struct suite *suite)
{
    const struct suite_intervene *i = &suite->intervene;
    struct steering_prompts_size size = {0};

    for (unsigned f = 0; f < i->prompts_count; f++) {
        FILE *in = fopen(i->prompts[f], "r");
        if (in == NULL)
            continue;
        add_lines(&size, in);
        fclose(in);
    }
    return (struct steering_prompts_size){ min_int64(size.prompts, i->texts),
                                           min_int64(size.longest, i->context) };
}
