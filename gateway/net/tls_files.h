/*
 * tls_files - the PEM files of certificates and keys, as bytes: read where they may be read, handed on to who may not.
 *
 * The parent, which may be root, reads the files and gives their content to the process that speaks TLS, as one text (a bundle); so a key
 * stays 0600 and root's.  Nothing here looks into a PEM file: net/tls does, in both processes.  A bundle holds secrets: it goes through
 * descriptors of our own processes and nowhere else, and whoever holds it wipes it.
 */
#ifndef NET_TLS_FILES_H
#define NET_TLS_FILES_H

#include "base/arena.h"
#include "base/buf.h"

enum { TLS_FILE_MAX = 1 << 20, TLS_BUNDLE_MAX = 512 << 20 };

/* A certificate with its chain, and its key. */
struct tls_pair {
    const char *host; /* "" for the one that stands for all others; "*.example.org" for any one label in front */
    const char *cert_path, *key_path;
    struct str cert, key;
};

struct tls_pairs {
    struct arena arena;
    struct tls_pair *items; /* the first is the one with host "" */
    size_t count;
};

/* Reads CERT and KEY, and all HOST.crt with HOST.key of SNI_DIR ("": none).  False with the reason, which names the file, in ERROR. */
bool tls_files_read(struct tls_pairs *p, const char *cert, const char *key, const char *sni_dir, char *error, size_t error_size);
/* Wipes. */
void tls_files_done(struct tls_pairs *p);

/* A number that changes when one of these files or the folder changes, appears or goes: from what stat(2) says of them. */
uint64_t tls_files_fingerprint(const char *cert, const char *key, const char *sni_dir);

void tls_files_write(const struct tls_pairs *p, struct buf *bundle);
/* Copies; false for what tls_files_write did not write. */
bool tls_files_parse(struct tls_pairs *p, struct str bundle);

#endif
