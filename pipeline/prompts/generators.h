/* generators.h -- prompts made by rule, from lists of words.
 *
 *   ioi           "When Mary and John went to the shop, John gave a drink to": the indirect object
 *                 against the subject; corrupted: three other names (Wang et al., arXiv:2211.00593)
 *   greater_than  "The war lasted from the year 1732 to the year 17": the ends of later years
 *                 against those of the others; corrupted: 1701 (Hanna et al., arXiv:2305.00586)
 *   induction     BOS, random tokens, and the same again but for the last, which is the answer;
 *                 corrupted: others, the first time (Olsson et al., arXiv:2209.11895)
 *   successor     "Monday Tuesday Wednesday": the next of the list against all its others;
 *                 corrupted: words of the list in no order (Gould et al., arXiv:2312.09230)
 *
 * The words stand in a file, JSON:
 *
 *   "lists"           {"NAME": [...], "PLACE": [...]}: words
 *   "templates"       texts with [PLACE] and the like, which stand for a word of that list.  Of ioi
 *                     each has [NAME] three times: the subject is the third, and one of the others
 *   "several_tokens"  what becomes of a word that is several tokens of the model: "drop", or
 *                     "refuse" the file
 *   "centuries"       of greater_than, which writes [YEAR] and [CENTURY]: [11, 12, ...]
 *   "cyclic"          of successor: the names of the lists that begin again after their end
 *
 * Templates and orders take turns, so each has as many prompts; words are drawn.  Everything here
 * is Local, and one rank calls it.
 */
#ifndef GENERATORS_H
#define GENERATORS_H

#include "prompts/prompts.h"

/* Add `count` prompts of the suite's generator, by its seed.  E_IO; E_FORMAT names the file of
 * words and the word. */
enum status generators_make(struct prompts *prompts, const struct wording *wording,
                            const struct suite_circuit *circuit);

#endif
