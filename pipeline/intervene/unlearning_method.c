/* unlearning_method.c -- clamp latents so that a model forgets, in several ways.
 *
 * After Farrell, Lau, Conmy, arXiv:2410.19278.  Measured once: how often latents fire, which
 * questions the model knows, what latents add to their answers, and the loss.  Then each task
 * clamps those latents that its threshold and number choose, with its strength, and measures again.
 * The difference of means needs no latents: there a task is a strength.  Fine-tuning baselines are
 * left out: they need gradients of weights.
 */
#include "base/agree.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "intervene/clamped_runs.h"
#include "intervene/question_attribution.h"
#include "intervene/questions.h"
#include "intervene/unlearning.h"
#include "intervene/unlearning_files.h"
#include "intervene/unlearning_texts.h"
#include "methods/chosen_saes.h"

#include <math.h>
#include <stdlib.h>

/* --- tasks --------------------------------------------------------------------------- */

/* One way of clamping. */
struct way {
    double  threshold, strength;
    int32_t latents;
};

static bool has_latents(const struct suite *suite)
{
    return suite->intervene.clamp != CLAMP_MEAN_DIFFERENCE;
}

static bool by_attribution(const struct suite *suite)
{
    return suite->intervene.choose == CHOOSE_ATTRIBUTION;
}

static struct way way_of(const struct suite *suite, int64_t task)
{
    const struct suite_intervene *i = &suite->intervene;
    const int64_t strengths = i->strengths_count, latents = i->latents_count;

    if (!has_latents(suite))
        return (struct way){ .threshold = (double)NAN, .strength = i->strengths[task] };
    return (struct way){
        .threshold = i->thresholds[task / (strengths * latents)],
        .latents = (int32_t)i->latents[task / strengths % latents],
        .strength = i->strengths[task % strengths],
    };
}

static int64_t tasks(const struct suite *suite)
{
    const struct suite_intervene *i = &suite->intervene;

    return i->strengths_count
           * (has_latents(suite) ? (int64_t)i->thresholds_count * i->latents_count : 1);
}

static void part(char part[METHODS_NAME], const struct suite *suite, int64_t task)
{
    const struct way way = way_of(suite, task);

    if (has_latents(suite))
        snprintf(part, METHODS_NAME, "t%g-n%d-s%g", way.threshold, (int)way.latents, way.strength);
    else
        snprintf(part, METHODS_NAME, "s%g", way.strength);
}

static enum status check_template(const struct suite *suite)
{
    char place[SUITE_PLACE];
    enum status st;

    REQUIRE(suite->intervene.template[0] != '\0', E_USAGE, "%s: 'intervene.template' is missing: "
            "how a question is asked", suite->path);
    TRY(questions_check(suite->intervene.template,
                        suite_place(place, suite, "intervene", 0, "template")));
done:
    return st;
}

static enum status check(const struct suite *suite, const struct lm_config *config)
{
    struct chosen_saes chosen = {0};
    char place[SUITE_PLACE];
    enum status st;

    if (unlearning_texts_asks(suite))
        TRY(check_template(suite));
    REQUIRE(unlearning_texts_asks(suite) || !by_attribution(suite), E_USAGE, "%s: attribution is "
            "to answers, so it needs 'questions' and 'controls'",
            suite_place(place, suite, "intervene", 0, "choose"));
    REQUIRE(has_latents(suite) || !by_attribution(suite), E_USAGE,
            "%s: the difference of means has no latents to choose; take 'choose' out",
            suite_place(place, suite, "intervene", 0, "choose"));
    TRY(chosen_saes_find(&chosen, suite, config->layers));
    REQUIRE(chosen.count == 1, E_USAGE, "%s: latents of one autoencoder are clamped; keep one of "
            "these %d", suite_place(place, suite, "intervene", 0, "autoencoders"), chosen.count);
    TRY(chosen_saes_check(&chosen, suite));
done:
    chosen_saes_free(&chosen);
    return st;
}

/* --- memory and time ----------------------------------------------------------------- */

/* The site and the sizes of its autoencoder; all 0 while they are not known. */
static struct latent_site known_site(const struct suite *suite, const struct lm_config *config)
{
    int count;
    struct latent_site *sites = chosen_saes_known(&count, suite, config);
    const struct latent_site site = count > 0 ? sites[0] : (struct latent_site){0};

    free(sites);
    return site;
}

/* Numbers of each latent, of each question in each order, and of each value of a row. */
static int64_t bytes(const struct suite *suite, const struct lm_config *config, int threads)
{
    const struct suite_intervene *i = &suite->intervene;
    const struct sae sae = known_site(suite, config).sae;
    const int64_t numbers = 7 * (int64_t)sae.latents + 6 * QUESTIONS_ORDERS * i->count
                            + 6 * (int64_t)sae.inputs;
    const int64_t tokens = max_int64(i->context, i->question_context);
    const int64_t runs = clamped_runs_bytes(config, sae.latents, i->block, tokens, threads);
    const int64_t attribution = by_attribution(suite)
                                ? question_attribution_bytes(config, sae.latents, i->block,
                                                             i->question_context, threads)
                                : 0;

    return unlearning_texts_bytes(suite) + numbers * (int64_t)sizeof(double)
         + max_int64(runs, attribution);
}

/* Of some sequences.  A row is encoded where latents are counted or clamped. */
static double pass_work(const struct lm_config *config, const struct sae *sae, int64_t sequences,
                        int64_t context)
{
    const struct tap end = { SITE_RES, config->layers - 1 };

    return (double)sequences * (forward_work(config, end, context)
                                + 2.0 * (double)context * sae->inputs * sae->latents);
}

/* Texts once for their firing; texts and questions as they are and in each task, where all
 * questions may be known.  Attribution goes through questions once more, and back, which is about
 * three times forward. */
static double work(const struct suite *suite, const struct lm_config *config)
{
    const struct suite_intervene *i = &suite->intervene;
    const struct sae sae = known_site(suite, config).sae;
    const int64_t passes = 1 + tasks(suite);
    const int64_t prompts = unlearning_texts_asks(suite) ? QUESTIONS_ORDERS * i->count : 0;
    const int64_t attributed = by_attribution(suite) ? 4 * prompts : 0;

    return pass_work(config, &sae, 2 * i->texts * (1 + passes), i->context)
         + pass_work(config, &sae, 2 * prompts * passes + attributed, i->question_context);
}

/* --- measuring ----------------------------------------------------------------------- */

/* What all tasks have in common. */
struct unlearning {
    const struct intervention *intervention;
    struct unlearning_texts texts;
    const struct latent_site *site;
    const char *autoencoder;
    double *forget, *retain;            /* [latents] firing rates */
    double *attribution;                /* [latents] to answers; NULL: not asked for */
    double *right;                      /* [most prompts of questions] of one pass */
    int64_t asked, asked_controls;      /* questions; the tables keep those that are known */
    double  forget_loss, retain_loss;   /* of texts, nats */
    int32_t *chosen;                    /* [latents] */
    struct sae means;                   /* the difference of means as its only decoder row */
    double  distance;                   /* of the means */
};

static struct clamped_runs_setup setup_of(const struct unlearning *u, const struct prompts *prompts)
{
    return (struct clamped_runs_setup){
        .run = u->intervention->run, .weights = u->intervention->weights, .sae = &u->site->sae,
        .tap = u->site->tap, .bos = u->texts.bos, .block = u->intervention->suite->intervene.block,
        .tokens = prompts->tokens,
    };
}

/* Runs over one table. */
static void make_runs(struct clamped_runs *runs, const struct unlearning *u,
                      const struct prompts *prompts)
{
    const struct clamped_runs_setup setup = setup_of(u, prompts);

    clamped_runs_make(runs, &setup);
}

static enum status find_rates(const struct unlearning *u, const struct prompts *prompts,
                              double *rates)
{
    struct clamped_runs runs;
    double rows;
    enum status st;

    make_runs(&runs, u, prompts);
    TRY(clamped_runs_firing(&runs, prompts, rates, &rows));
    REQUIRE(rows > 0, E_USAGE, "texts have no tokens but BOS");
    for (int32_t i = 0; i < u->site->sae.latents; i++)
        rates[i] /= rows;
done:
    clamped_runs_free(&runs);
    return st;
}

static enum status find_mean(const struct unlearning *u, const struct prompts *prompts,
                             double *mean)
{
    struct clamped_runs runs;

    make_runs(&runs, u, prompts);
    const enum status st = clamped_runs_mean(&runs, prompts, mean);
    clamped_runs_free(&runs);
    return st;
}

static enum status find_means(struct unlearning *u)
{
    const int32_t width = u->site->sae.inputs;
    double *forget = allocate(width, sizeof *forget), *retain = allocate(width, sizeof *retain);
    enum status st;

    TRY(find_mean(u, &u->texts.forget, forget));
    TRY(find_mean(u, &u->texts.retain, retain));
    sae_make(&u->means, width, width, 1);
    u->distance = unlearning_direction(u->means.decoder, forget, retain, width);
    REQUIRE(u->distance > 0, E_USAGE, "the texts to be forgotten and those to be retained have the "
            "same mean row, so that there is no direction from one to the other");
done:
    free(retain);
    free(forget);
    return st;
}

/* What latents are chosen by. */
static enum status rate_latents(struct unlearning *u)
{
    const struct clamped_runs_setup setup = setup_of(u, &u->texts.questions);
    enum status st;

    TRY(find_rates(u, &u->texts.forget, u->forget));
    TRY(find_rates(u, &u->texts.retain, u->retain));
    if (by_attribution(u->intervention->suite)) {
        u->attribution = allocate(u->site->sae.latents, sizeof *u->attribution);
        TRY(question_attribution_find(&setup, &u->texts.questions, u->attribution));
    }
done:
    return st;
}

static enum status find_loss(const struct unlearning *u, const struct prompts *texts,
                             const struct clamp *clamp, double *loss)
{
    struct clamped_runs runs;

    make_runs(&runs, u, texts);
    const enum status st = clamped_runs_loss(&runs, texts, clamp, loss);
    clamped_runs_free(&runs);
    return st;
}

static enum status answer(const struct unlearning *u, const struct prompts *prompts,
                          const struct clamp *clamp)
{
    struct clamped_runs runs;

    make_runs(&runs, u, prompts);
    const enum status st = clamped_runs_answers(&runs, prompts, clamp, u->right);
    clamped_runs_free(&runs);
    return st;
}

/* Keep the questions of one kind that the model knows, as it is. */
static enum status keep_known(const struct unlearning *u, struct prompts *prompts,
                              const char *path)
{
    const int64_t questions = prompts->count / QUESTIONS_ORDERS;
    enum status st;

    TRY(answer(u, prompts, NULL));
    questions_keep_known(prompts, u->right);
    REQUIRE(prompts->count > 0, E_USAGE, "%s: the model answers none of %lld questions right in "
            "every order of their choices, so there is nothing to lose; ask others, or another "
            "model", path, (long long)questions);
done:
    return st;
}

static enum status find_known(const struct unlearning *u, struct unlearning_texts *texts)
{
    const struct suite_intervene *i = &u->intervention->suite->intervene;
    enum status st;

    TRY(keep_known(u, &texts->questions, i->questions[0]));
    TRY(keep_known(u, &texts->controls, i->controls[0]));
    run_note(u->intervention->run, "%lld of %lld questions and %lld of %lld controls are known",
             (long long)texts->questions.count / QUESTIONS_ORDERS, (long long)u->asked,
             (long long)texts->controls.count / QUESTIONS_ORDERS, (long long)u->asked_controls);
done:
    return st;
}

static enum status measure(struct unlearning *u)
{
    enum status st;

    if (u->asked > 0)
        TRY(find_known(u, &u->texts));
    TRY(has_latents(u->intervention->suite) ? rate_latents(u) : find_means(u));
    TRY(find_loss(u, &u->texts.forget, NULL, &u->forget_loss));
    TRY(find_loss(u, &u->texts.retain, NULL, &u->retain_loss));
    run_note(u->intervention->run, "loss %.4f nats on texts to be forgotten, %.4f on retained ones",
             u->forget_loss, u->retain_loss);
done:
    return st;
}

/* --- a task -------------------------------------------------------------------------- */

static enum status ask(const struct unlearning *u, const struct prompts *prompts,
                       const struct clamp *clamp, int64_t asked,
                       struct unlearning_answers *answers)
{
    const int64_t known = prompts->count / QUESTIONS_ORDERS;
    enum status st;

    TRY(answer(u, prompts, clamp));
    *answers = (struct unlearning_answers){
        .asked = asked, .known = known, .accuracy = questions_accuracy(u->right, known),
    };
done:
    return st;
}

/* Choose its latents, or the direction in their place. */
static struct clamp clamp_of(const struct unlearning *u, struct way way)
{
    const enum clamp_kind kind = u->intervention->suite->intervene.clamp;
    const struct sae *sae = &u->site->sae;
    const int32_t most = (int32_t)min_int64(way.latents, sae->latents);

    if (!has_latents(u->intervention->suite)) {
        u->chosen[0] = 0;
        return (struct clamp){ kind, way.strength, &u->means, u->chosen, 1 };
    }
    return (struct clamp){
        kind, way.strength, sae, u->chosen,
        unlearning_choose(u->chosen, most, u->attribution != NULL ? u->attribution : u->forget,
                          u->retain, sae->latents, way.threshold),
    };
}

static void note_result(const struct unlearning *u, const char *name,
                        const struct unlearning_result *result)
{
    char answers[100] = "";

    if (u->asked > 0)
        snprintf(answers, sizeof answers, ", %.3f of the questions, %.3f of the controls",
                 result->questions.accuracy.all, result->controls.accuracy.all);
    run_note(u->intervention->run, "%s: %d direction%s%s, loss %+.4f and %+.4f", name,
             (int)result->clamp.count, result->clamp.count == 1 ? "" : "s", answers,
             result->forget_texts.loss - u->forget_loss,
             result->retain_texts.loss - u->retain_loss);
}

static enum status run_task(const struct unlearning *u, int64_t task)
{
    const struct suite *suite = u->intervention->suite;
    const struct way way = way_of(suite, task);
    struct unlearning_result result = {
        .autoencoder = u->autoencoder,
        .threshold = way.threshold,
        .forget = u->forget,
        .retain = u->retain,
        .attribution = u->attribution,
        .distance = u->distance,
        .forget_texts = { .as_it_is = u->forget_loss },
        .retain_texts = { .as_it_is = u->retain_loss },
        .clamp = clamp_of(u, way),
    };
    char name[METHODS_NAME];
    enum status st;

    if (u->asked > 0) {
        TRY(ask(u, &u->texts.questions, &result.clamp, u->asked, &result.questions));
        TRY(ask(u, &u->texts.controls, &result.clamp, u->asked_controls, &result.controls));
    }
    TRY(find_loss(u, &u->texts.forget, &result.clamp, &result.forget_texts.loss));
    TRY(find_loss(u, &u->texts.retain, &result.clamp, &result.retain_texts.loss));
    interventions_name(name, suite, task);
    note_result(u, name, &result);
    TRY_ROOT(u->intervention->run->comm,
             unlearning_files_write(u->intervention, name, &result));
done:
    return st;
}

static void make(struct unlearning *u)
{
    const int64_t questions = u->texts.questions.count, controls = u->texts.controls.count;
    const int32_t latents = u->site->sae.latents;

    u->forget = allocate(latents, sizeof *u->forget);
    u->retain = allocate(latents, sizeof *u->retain);
    u->chosen = allocate(latents, sizeof *u->chosen);
    u->right = allocate(max_int64(questions, controls), sizeof *u->right);
    u->asked = questions / QUESTIONS_ORDERS;
    u->asked_controls = controls / QUESTIONS_ORDERS;
}

static void tear_down(struct unlearning *u)
{
    free(u->forget);
    free(u->retain);
    free(u->attribution);
    free(u->chosen);
    free(u->right);
    sae_free(&u->means);
    unlearning_texts_free(&u->texts);
}

static enum status run(const struct intervention *intervention, const bool *wanted)
{
    const MPI_Comm comm = intervention->run->comm;
    struct unlearning u = { .intervention = intervention };
    struct chosen_saes chosen = {0};
    struct shared_saes saes = {0};
    struct latent_site *sites = NULL;
    enum status st;

    TRY_ALL(comm, chosen_saes_find(&chosen, intervention->suite, intervention->config->layers));
    TRY(unlearning_texts_read(&u.texts, intervention->suite, intervention->config, comm));
    TRY(chosen_saes_read(&sites, &saes, &chosen, comm));
    u.site = sites;
    u.autoencoder = chosen.sae[0].name;
    make(&u);
    TRY(measure(&u));
    for (int64_t task = 0; task < tasks(intervention->suite); task++)
        if (wanted[task])
            TRY(run_task(&u, task));
done:
    tear_down(&u);
    free(sites);
    shared_saes_free(&saes);
    chosen_saes_free(&chosen);
    return st;
}

const struct intervention_method UNLEARNING_METHOD = {
    .name = "unlearning", .tasks = tasks, .part = part, .check = check, .bytes = bytes,
    .shared = chosen_saes_shared, .work = work, .run = run, .finish = unlearning_files_sweep,
};
