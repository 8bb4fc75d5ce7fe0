/* prompts.h -- pairs of prompts, with the answers between which the model chooses.
 *
 * A pair is a clean prompt and a corrupted one of as many tokens.  The metric compares the logits
 * of the right answers with those of the wrong ones where the prompt ends, or at other positions
 * that it names.  Prompts of one table may have unequal lengths: attention is causal, so no token
 * sees the padding that follows a shorter one.
 *
 * A file of prompts is JSON Lines, a pair a line:
 *
 *   {"clean": "The war lasted from 1732 to 17", "corrupted": "The war lasted from 1701 to 17",
 *    "answers": ["33", "34"], "wrong": ["31", "32"]}
 *
 *   clean, corrupted  text, or a list of token ids; BOS is put before them if they lack it
 *   answers, wrong    texts that follow the clean prompt, or ids; each is one token.  "wrong" may
 *                     be absent
 *   positions         where the metric looks, BOS being 0; absent: at the last token
 *   template          a number from 0: prompts of one template have their words in the same places.
 *                     Absent: 0
 *   classes           {"IO": 4, "S1": 2, "S1+1": 3, "S2": 10, "END": 14}: the positions of the
 *                     words of an indirect object's prompt, or some of them
 *
 * A line {"text": "Call me Ishmael. ..."}, a text or ids, stands for a pair whose prompts are both
 * its first tokens, as many as a row has, without answers; it may have positions, too.
 *
 * Everything here but prompts_share() is Local.
 */
#ifndef PROMPTS_H
#define PROMPTS_H

#include "prompts/wording.h"

#include <mpi.h>

/* Classes of positions, after Wang et al., arXiv:2211.00593: the indirect object, the first mention
 * of the subject, the token after it, the second mention, the last token. */
enum prompts_class {
    PROMPTS_IO, PROMPTS_S1, PROMPTS_S1_NEXT, PROMPTS_S2, PROMPTS_END, PROMPTS_CLASSES
};

/* "IO", "S1", "S1+1", "S2", "END". */
const char *prompts_class_name(enum prompts_class class);

/* A list of numbers for each prompt: those of prompt p are items[first[p]] to
 * items[first[p + 1] - 1]. */
struct prompts_lists {
    int32_t *first;             /* [count + 1] */
    int32_t *items;
};

struct prompts {
    int64_t  count;
    int64_t  tokens;            /* of the longest, BOS included; rows are that long */
    const char *limit;          /* the key that gives it, for messages; NULL: context */
    int32_t *clean, *corrupted; /* [count, tokens] */
    int32_t *length;            /* [count] of both prompts */
    int32_t *template;          /* [count] from 0 */
    int32_t *classes;           /* [count, PROMPTS_CLASSES] positions; -1: not known */
    struct prompts_lists answers, wrong;    /* token ids */
    struct prompts_lists positions;         /* where the metric looks; never empty */
};

/* A pair to be added; nothing of it is kept but copies. */
struct prompts_pair {
    struct wording_ids clean, corrupted, answers, wrong, positions;
    int32_t template;
    int32_t classes[PROMPTS_CLASSES];
};

/* Free the lists of a pair; accepts an empty one. */
void prompts_pair_free(struct prompts_pair *pair);

/* Start with none, in rows of `tokens` ids; prompts_free() accepts an empty struct. */
void prompts_make(struct prompts *prompts, int64_t tokens);
void prompts_free(struct prompts *prompts);

/* Add a pair.  Refuses, after `place` ("x.jsonl:3"), one whose prompts differ in length or are
 * longer than a row, ids that the model does not know, positions that are not there.  E_FORMAT. */
enum status prompts_add(struct prompts *prompts, const struct wording *wording,
                        const struct prompts_pair *pair, const char *place);

/* Add the pairs of a file, until there are `most`.  E_IO; E_FORMAT with the line: no such object,
 * an answer of several tokens, what prompts_add() refuses. */
enum status prompts_read(struct prompts *prompts, const struct wording *wording, const char *path,
                         int64_t most);

/* Does a row of a block of clean prompts count: is it neither BOS nor padding?
 *   first  the block's first prompt
 *   row    of the block, [prompts, tokens] */
static inline bool prompts_row_counts(const struct prompts *prompts, int64_t first, int64_t row,
                                      int32_t bos)
{
    return row % prompts->tokens < prompts->length[first + row / prompts->tokens]
           && prompts->clean[first * prompts->tokens + row] != bos;
}

/* Shorten the rows to the longest prompt.  To be called when all are there. */
void prompts_trim(struct prompts *prompts);

/* Keep some of them alone, in their order; their rows stay as long.
 *   kept [count]  in */
void prompts_keep(struct prompts *prompts, const bool *kept);

/* Give the prompts of rank 0 to all ranks, whose own are empty.  Collective. */
void prompts_share(struct prompts *prompts, MPI_Comm comm);

/* The answers, or the like, of a prompt.  Returns how many. */
static inline int64_t prompts_list(const struct prompts_lists *lists, int64_t prompt,
                                   const int32_t **items)
{
    *items = lists->items + lists->first[prompt];
    return lists->first[prompt + 1] - lists->first[prompt];
}

/* The number of templates: one more than the largest. */
int32_t prompts_templates(const struct prompts *prompts);

#endif
