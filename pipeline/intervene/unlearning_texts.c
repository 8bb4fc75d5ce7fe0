#include "intervene/unlearning_texts.h"
#include "base/agree.h"
#include "intervene/given_texts.h"
#include "intervene/questions.h"

/* Files of one kind. */
struct files {
    const char  *key;
    char *const *paths;
    unsigned     count;
};

static enum status check_files(const struct files *files, const struct suite *suite)
{
    enum status st;

    REQUIRE(files->count > 0, E_USAGE, "%s: 'intervene.%s' is missing: files of JSON Lines",
            suite->path, files->key);
done:
    return st;
}

static enum status read_texts(struct prompts *prompts, const struct wording *wording,
                              const struct suite *suite, struct files files)
{
    enum status st;

    TRY(check_files(&files, suite));
    TRY(given_texts_read(prompts, wording, suite, files.paths, files.count));
done:
    return st;
}

static enum status read_questions(struct prompts *prompts, const struct wording *wording,
                                  const struct suite *suite, struct files files)
{
    enum status st;

    prompts_make(prompts, suite->intervene.question_context);
    prompts->limit = "question_context";
    TRY(check_files(&files, suite));
    for (unsigned f = 0; f < files.count; f++)
        TRY(questions_read(prompts, wording, files.paths[f], suite->intervene.template,
                           suite->intervene.count));
    REQUIRE(prompts->count > 0, E_USAGE, "%s has no questions", files.paths[0]);
    prompts_trim(prompts);
done:
    return st;
}

bool unlearning_texts_asks(const struct suite *suite)
{
    return suite->intervene.questions_count + suite->intervene.controls_count > 0;
}

/* Local; rank 0 alone. */
static enum status read_all(struct unlearning_texts *texts, const struct suite *suite,
                            const struct lm_config *config)
{
    const struct suite_intervene *i = &suite->intervene;
    struct wording wording = {0};
    enum status st;

    TRY(wording_open(&wording, suite, config));
    texts->bos = wording.bos;
    TRY(read_texts(&texts->forget, &wording, suite,
                   (struct files){ "forget", i->forget, i->forget_count }));
    TRY(read_texts(&texts->retain, &wording, suite,
                   (struct files){ "retain", i->retain, i->retain_count }));
    if (!unlearning_texts_asks(suite)) {
        prompts_make(&texts->questions, 1);
        prompts_make(&texts->controls, 1);
        goto done;
    }
    TRY(read_questions(&texts->questions, &wording, suite,
                       (struct files){ "questions", i->questions, i->questions_count }));
    TRY(read_questions(&texts->controls, &wording, suite,
                       (struct files){ "controls", i->controls, i->controls_count }));
done:
    wording_close(&wording);
    return st;
}

enum status unlearning_texts_read(struct unlearning_texts *texts, const struct suite *suite,
                                  const struct lm_config *config, MPI_Comm comm)
{
    enum status st;

    *texts = (struct unlearning_texts){0};
    TRY_ROOT(comm, read_all(texts, suite, config));
    MPI_Bcast(&texts->bos, 1, MPI_INT32_T, 0, comm);
    prompts_share(&texts->forget, comm);
    prompts_share(&texts->retain, comm);
    prompts_share(&texts->questions, comm);
    prompts_share(&texts->controls, comm);
done:
    return st;
}

void unlearning_texts_free(struct unlearning_texts *texts)
{
    prompts_free(&texts->forget);
    prompts_free(&texts->retain);
    prompts_free(&texts->questions);
    prompts_free(&texts->controls);
}

/* Ids of clean and corrupted prompts, of both kinds; the lists of a prompt are short next to
 * them. */
int64_t unlearning_texts_bytes(const struct suite *suite)
{
    const struct suite_intervene *i = &suite->intervene;
    const int64_t questions = unlearning_texts_asks(suite) ? i->count : 0;
    const int64_t tokens = i->texts * i->context
                           + QUESTIONS_ORDERS * questions * i->question_context;

    return 2 * 2 * tokens * (int64_t)sizeof(int32_t);
}
