/*
 * person - a user of this host that commands run as, where tmail was started as root; else there is nobody to become.
 *
 * Looked up once, by name, with all groups: becoming one needs no look into the host's tables.  Never root.
 */
#ifndef PERSON_H
#define PERSON_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PERSON_GROUPS = 256, PERSON_ERROR_SIZE = 512 };

struct person {
    bool changes; /* we are root and become somebody else */
    uid_t uid;
    gid_t gid;
    gid_t groups[PERSON_GROUPS];
    int group_count;
};

/* NAME is what KEY of the configuration says.  False with a sentence that names the key in ERROR. */
bool person_find(struct person *p, const char *key, const char *name, char error[PERSON_ERROR_SIZE]);

/* For good; false, with errno, after which the process must end. */
bool person_become(const struct person *p);

#endif
