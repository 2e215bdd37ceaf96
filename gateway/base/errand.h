/*
 * errand - a command that deliverd has its parent run, with one message as its standard input.
 *
 * An errand is one packet on a SOCK_SEQPACKET socket pair, with three descriptors: the message, which becomes standard input; the write end
 * of a pipe, which becomes standard error; and an end of another SOCK_SEQPACKET pair, on which one struct errand_result comes back.  Who
 * closes the other end of that pair before has the command killed; an end without a result says that the parent is no more.  Any thread may
 * send.
 *
 * Whoever receives may be root, and trusts nothing that comes: not the number, size or form of the words, not the kind of the descriptors.
 * It never reads from the message, and never waits for whom it answers.
 */
#ifndef BASE_ERRAND_H
#define BASE_ERRAND_H

#include "base/buf.h"

enum errand_kind { ERRAND_LDA, ERRAND_PIPE };

enum { ERRAND_WORDS = 64, ERRAND_SIZE = 16 << 10 }; /* a packet's octets at most */

struct errand {
    enum errand_kind kind;
    struct str sender;    /* empty: the null sender */
    struct str recipient; /* of ERRAND_LDA: the user whose mailbox it is */
    struct str original;
    struct str words[ERRAND_WORDS]; /* of ERRAND_PIPE: the command and its arguments */
    size_t count;
    int message, errors, result; /* -1: none */
};

enum errand_end {
    ERRAND_ENDED,       /* detail: as waitpid(2) has it */
    ERRAND_TIMED_OUT,   /* it was killed */
    ERRAND_NOT_STARTED, /* detail: an errno */
    ERRAND_NOBODY,      /* the user it would run as is not there */
    ERRAND_BUSY,        /* as many as may run do */
    ERRAND_REFUSED,     /* it is not understood */
    ERRAND_ENDS,
};

struct errand_result {
    int32_t end;
    int32_t detail;
};

/* Appends the packet's bytes; false when a bound forbids it or a word has a NUL. */
bool errand_write(const struct errand *e, struct buf *to);
/* Reads them back, without descriptors.  The words point into PACKET, and each has a NUL behind it. */
bool errand_parse(struct str packet, struct errand *e);

/* Blocks up to DEADLINE (clock_now).  The descriptors stay the caller's.  False with errno set. */
bool errand_send(int socket, const struct errand *e, int64_t deadline);

enum errand_news { ERRAND_NOTHING, ERRAND_CAME, ERRAND_MALFORMED, ERRAND_OVER };

/* Does not block.  The words point into PACKET (ERRAND_SIZE bytes).  With ERRAND_CAME the descriptors are the caller's (errand_close); one
 * that is malformed has been answered, where that could be. */
enum errand_news errand_receive(int socket, char *packet, struct errand *e);
void errand_close(struct errand *e);

/* Says RESULT on the end RESULT_END of a pair; does not block. */
void errand_answer(int result_end, enum errand_end end, int detail);
/* What came on the other end; false: nothing that is one. */
bool errand_hear(int result_end, struct errand_result *result);

#endif
