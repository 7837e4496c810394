/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "anodot.h"

/* What is made of a response to a request of three points. */
static struct answer judged(int status, const char *body)
{
    struct payload payload = {.points = 3};
    struct answer answer = {.outcome = OUTCOME_SENT};
    answer.response.status = status;
    buf_str(&answer.response.body, body);
    anodot_judge(&payload, &answer);
    return answer;
}

/* Breaks if a 2xx that is not Anodot's counts as a refusal, so that the request is sent again although on_ambiguous says
 * drop: the service may have accepted it. */
UNIT(anodot, the_answer_of_somebody_else_is_ambiguous)
{
    static const char *const bodies[] = {"", "<html>Welcome to the hotel</html>", "{\"ok\": true}", "[]",
                                         "{\"errors\": 3}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct answer answer = judged(200, bodies[i]);
        CHECK_EQ_I64(answer.outcome, OUTCOME_RETRY);
        CHECK(answer.ambiguous);
        answer_free(&answer);
    }
}

/* Anodot's own answers leave no doubt. */
UNIT(anodot, its_own_answers_are_not)
{
    struct answer answer = judged(200, "{\"errors\": []}");
    CHECK_EQ_I64(answer.outcome, OUTCOME_SENT);
    answer_free(&answer);
    answer = judged(200, "{\"errors\": [{\"error\": 2003, \"description\": \"metrics per second\"}]}");
    CHECK_EQ_I64(answer.outcome, OUTCOME_RETRY);
    CHECK(!answer.ambiguous);
    answer_free(&answer);
}
