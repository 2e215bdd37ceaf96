/*
 * certificates - the certificates and keys as the parent has them: made where there are none, checked, watched, handed to smtpd.
 *
 * The parent reads the files, because it may be root and smtpd is not; it looks at them with the same code that will use them (net/tls.h),
 * so what cannot be used stops a start or a reload, and never comes to smtpd.  A struct certificates belongs to one generation.  Blocks for
 * the files.
 */
#ifndef CERTIFICATES_H
#define CERTIFICATES_H

#include "conf/conf.h"

enum { CERTIFICATES_LOOK_MS = 2000 };

struct certificates {
    struct buf bundle;    /* of net/tls_files.h; empty: no TLS */
    uint64_t fingerprint; /* of the files that were last read */
    uint64_t seen;        /* of the last look */
    bool is_due;          /* smtpd has not got the bundle */
};

/* Reads and checks the files; where neither certificate nor key exist a self-signed pair is made, and the log says so; but not where BEFORE
 * (or NULL) had some: those are away for another reason, and that is an error.  When a pair cannot be made either, there is no TLS, which
 * is an error where a listener speaks nothing else.  Without smtpd there is nothing to do.  False with the reason in ERROR. */
bool certificates_load(struct certificates *c, const struct conf *conf, const struct certificates *before, char *error, size_t error_size);
void certificates_done(struct certificates *c);

/* The files are others than those that were read, and have been the same for two looks: who writes one after the other is not read in
 * between. */
bool certificates_changed(struct certificates *c, const struct conf *conf);
/* Puts the files as they are now in the place of the bundle.  False with the reason in ERROR, and nothing changed; the same files are not
 * tried again. */
bool certificates_renew(struct certificates *c, const struct conf *conf, char *error, size_t error_size);

/* The bundle in a memory file, at its start; -1 with errno set. */
int certificates_file(const struct certificates *c);

#endif
