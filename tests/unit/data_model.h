/*
 * data_model - what DATA's bytes mean, said a second time: RFC 5321 section 4.5.2 on a whole text, by searching and splitting and without a
 * state machine.
 *
 * For the tests of smtp/data.h, unit and fuzz: two things written apart that must agree.
 */
#ifndef DATA_MODEL_H
#define DATA_MODEL_H

#include "base/buf.h"
#include "smtp/data.h"

#include <stdlib.h>
#include <string.h>

struct data_model {
    bool ended;
    size_t used;
    unsigned flaws;
    struct buf content; /* up to the end; without an end, of all there is */
};

/* Adds one line's octets with each CR and LF in them, which can only be bare, marked or made a line end. */
static inline void data_model_text(struct data_model *m, struct str text, bool normalize)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];

        if (c == '\0')
            m->flaws |= DATA_NUL;
        if ((c == '\r' || c == '\n') && normalize)
            buf_add_text(&m->content, "\r\n");
        else
            buf_add_byte(&m->content, c);
        if (c == '\r' && !normalize)
            m->flaws |= DATA_BARE_CR;
        if (c == '\n' && !normalize)
            m->flaws |= DATA_BARE_LF;
    }
}

/* INPUT is everything from behind the 354 on.  Content that has not ended is not looked at closely: its last octets may mean anything yet.
 * */
static inline void data_model_run(struct data_model *m, struct str input, bool dots, bool normalize)
{
    static const char mark[] = "\r\n.\r\n";
    struct buf whole = {0};
    size_t end;

    *m = (struct data_model){.used = input.length};
    buf_add_text(&whole, "\r\n"); /* the end of the command line counts as the line end before the first line */
    buf_add(&whole, input);
    end = whole.length;
    if (dots) {
        char *found = memmem(whole.data, whole.length, mark, 5);

        if (found != NULL) {
            m->ended = true;
            end = (size_t)(found - whole.data) + 2;
            m->used = end + 3 - 2;
        }
    }
    for (size_t at = 2; at < end;) {
        char *found = memmem(whole.data + at, end - at, "\r\n", 2);
        size_t stop = found != NULL ? (size_t)(found - whole.data) : end;

        if (dots && stop > at && whole.data[at] == '.')
            at++;
        data_model_text(m, (struct str){whole.data + at, stop - at}, normalize);
        if (found != NULL)
            buf_add_text(&m->content, "\r\n");
        at = found != NULL ? stop + 2 : stop;
    }
    buf_done(&whole);
}

static inline void data_model_done(struct data_model *m)
{
    buf_done(&m->content);
}

static inline void data_model_collect(void *context, struct str bytes)
{
    buf_add(context, bytes);
}

/* A CR without LF behind it or an LF without CR before it. */
static inline bool data_model_has_bare(struct str s)
{
    for (size_t i = 0; i < s.length; i++)
        if ((s.data[i] == '\r' && (i + 1 == s.length || s.data[i + 1] != '\n')) ||
            (s.data[i] == '\n' && (i == 0 || s.data[i - 1] != '\r')))
            return true;
    return false;
}

#endif
