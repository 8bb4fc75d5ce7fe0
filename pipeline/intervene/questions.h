/* questions.h -- multiple-choice questions as prompts, in every order of their choices.
 *
 * A file of questions is JSON Lines, a question a line:
 *
 *   {"question": "Which gas do plants take in?", "choices": ["helium", "carbon dioxide", "neon",
 *    "argon"], "answer": 1}
 *
 *   choices  four texts
 *   answer   the right one: its number from 0, or its letter, "A" to "D"
 *
 * A template makes a prompt of it, in which {question} stands for the question and {A} to {D} for
 * the choices.  The model answers with the letter of the largest logit after the prompt, with or
 * without a space before it, whichever is larger.  Whoever guesses, or prefers a letter, is
 * sometimes right; so a question counts as known if it is answered right in all 24 orders of its
 * choices (Farrell et al., arXiv:2410.19278, section 3).
 */
#ifndef QUESTIONS_H
#define QUESTIONS_H

#include "prompts/prompts.h"

enum { QUESTIONS_CHOICES = 4, QUESTIONS_ORDERS = 24 };

/* Refuse a template that lacks the question or a choice; `place` is that of the template.  Local,
 * as all here.  E_USAGE. */
enum status questions_check(const char *template, const char *place);

/* Add the questions of a file, QUESTIONS_ORDERS prompts each and the given order first, until there
 * are `most` questions.  Their answers and wrong answers are the letters' ids.  E_IO; E_FORMAT with
 * the line: no such object, an answer that is no choice, what prompts_add() refuses; E_USAGE if a
 * letter is no token of its own after the prompt. */
enum status questions_read(struct prompts *prompts, const struct wording *wording,
                           const char *path, const char *template, int64_t most);

/* Keep the questions that are answered right in all orders.
 *   right [questions, QUESTIONS_ORDERS]  in: 1 or 0 */
void questions_keep_known(struct prompts *prompts, const double *right);

/* The share of right answers; NaN: there are no questions. */
struct questions_accuracy {
    double all;         /* over all orders */
    double given;       /* in the given order */
};

struct questions_accuracy questions_accuracy(const double *right, int64_t questions);

#endif
