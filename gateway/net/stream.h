/*
 * stream - a connection with a buffer each way, a deadline, and one place to wait.
 *
 * What is put is sent when the buffer fills or just before the stream would block for input: so a peer that pipelines gets its answers
 * together (RFC 2920 section 3.2), and nobody else has to think of flushing.  Every wait is one poll(2) on the socket and the stop
 * descriptor, up to `deadline`.  A fault is sticky: after the first, every call fails at once and `fault` says why.
 *
 * The socket is non-blocking and owned by the stream.  With heed_stop, a wait also ends when the process is told to stop; without it, only
 * when the grace of the stop is over.  A struct stream belongs to one thread.
 *
 * With stream_start_tls all that follows is said in TLS; who reads and writes need not know.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "base/buf.h"
#include "net/address.h"

struct tls;

enum stream_fault { STREAM_FINE, STREAM_CLOSED, STREAM_TIMEOUT, STREAM_STOPPED, STREAM_ERROR, STREAM_TLS };

struct stream {
    int fd;
    struct tls *tls; /* owned; NULL: plain text */
    struct address peer, local;
    int64_t deadline; /* clock_now; CLOCK_NEVER: none */
    bool heed_stop;
    enum stream_fault fault;
    int error; /* errno behind STREAM_ERROR */
    char *input;
    size_t start, end, capacity;
    struct buf output;
    char head[8]; /* how a line began that was too long to keep */
};

/* Takes FD, a connected socket. */
void stream_init(struct stream *s, int fd, const struct address *peer);
void stream_done(struct stream *s);

/* Connects from LOCAL (NULL or any: the system's choice) to PEER before DEADLINE.  Returns false with s->fault and s->error set; the stream
 * is then closed and empty. */
bool stream_connect(struct stream *s, const struct address *peer, const struct address *local, int64_t deadline);
/* The same to the Unix socket at PATH; peer and local stay empty. */
bool stream_connect_path(struct stream *s, const char *path, int64_t deadline);

/* Takes TLS, made for the stream's socket, flushes, and shakes hands up to the deadline; false with the fault set.  What was received in
 * plain text must have been consumed: bytes that lie here unread are a fault, because nothing said before TLS counts after it; then there
 * is no TLS. */
bool stream_start_tls(struct stream *s, struct tls **tls);

void stream_put(struct stream *s, struct str data);
bool stream_flush(struct stream *s);

/* What has been received and not consumed; borrowed until the next stream_fill. */
struct str stream_input(const struct stream *s);
void stream_consume(struct stream *s, size_t length);
/* Flushes, waits for at least one more byte, reads what is there.  MOST bounds how much may lie unconsumed; at that bound it fails with
 * ENOBUFS. */
bool stream_fill(struct stream *s, size_t most);

/* Whether the peer has said something that nobody has consumed, or has closed.  Does not block. */
enum stream_state { STREAM_QUIET, STREAM_SAYS, STREAM_GONE };
enum stream_state stream_look(struct stream *s);

/* Says goodbye: flushes, closes our direction, and swallows what the peer still sends, up to DEADLINE.  A socket that is closed with input
 * unread resets the connection, and the peer may never see the last reply. */
void stream_finish(struct stream *s, int64_t deadline);

/* "connection closed by peer", "timed out", …; borrowed: static, errno's text, or that of tls_problem. */
const char *stream_fault_text(const struct stream *s);

#endif
