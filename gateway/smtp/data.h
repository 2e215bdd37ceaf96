/*
 * data - a message's bytes on the wire: the one reader and the one writer of DATA (RFC 5321 sections 4.1.1.4 and 4.5.2).
 *
 * The reader takes input as it comes, in pieces of any size, takes away the dots that were stuffed, and ends at CR LF . CR LF and at
 * nothing else (SMTP smuggling lives on servers that also end at LF . LF and its kin).  A bare CR, a bare LF, or a NUL sets a flaw; reading
 * goes on to the real end, so that the dialogue stays in step, and the caller refuses the message.  With `normalize`, a bare CR or LF is
 * handed on as CR LF instead; it is a line end for those who read the message later, but can never end the data.  For BDAT (RFC 3030)
 * `dots` is off: every byte is content.
 *
 * The writer stuffs dots, closes an unfinished last line, and refuses (flaw) to pass on a bare CR or LF, wherever it came from.
 * Pure functions on bytes: no allocation, nothing blocks.
 */
#ifndef SMTP_DATA_H
#define SMTP_DATA_H

#include "base/str.h"

enum data_flaw { DATA_BARE_CR = 1, DATA_BARE_LF = 2, DATA_NUL = 4, DATA_LONG_LINE = 8 };
enum data_state { DATA_LINE_START, DATA_TEXT, DATA_CR, DATA_DOT, DATA_DOT_CR };

struct data_reader {
    enum data_state state;
    bool dots;
    bool normalize;
    bool ended;
    unsigned flaws;
    size_t line_length, line_max; /* octets of text without its end; 0: no limit */
};

typedef void (*data_sink)(void *context, struct str bytes);

void data_reader_init(struct data_reader *r, bool dots);
/* Hands content to SINK; returns how much of INPUT was used: all of it, or up to the end of data, when r->ended. */
size_t data_read(struct data_reader *r, struct str input, data_sink sink, void *context);
/* The last chunk of BDAT is in: a CR that still waits for its LF is bare. */
void data_read_end(struct data_reader *r, data_sink sink, void *context);

struct data_writer {
    enum data_state state; /* LINE_START, TEXT or CR */
    bool flawed;
};

void data_writer_init(struct data_writer *w);
void data_write(struct data_writer *w, struct str content, data_sink sink, void *context);
void data_write_end(struct data_writer *w, data_sink sink, void *context); /* [CR LF] . CR LF */

#endif
