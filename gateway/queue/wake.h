/*
 * wake - tells the deliverers of a queue that there is something new to look at.
 *
 * A FIFO named `wake` in the store folder.  Deliverers hold it open for reading and poll it; whoever changed the queue (smtpd, a command)
 * writes one byte.  It carries no facts: those are in the database.  A byte that is lost costs at most the deliverer's regular look.
 * Nothing here blocks.
 */
#ifndef QUEUE_WAKE_H
#define QUEUE_WAKE_H

#include <stdbool.h>

struct wake {
    int fd;
};

/* Makes the FIFO if it is not there.  A failure leaves a wake that does nothing. */
void wake_open(struct wake *w, const char *folder);
void wake_close(struct wake *w);
void wake_send(struct wake *w);
/* Takes all bytes that lie there. */
void wake_drain(struct wake *w);

#endif
