/*
 * dns_name - names of the DNS in text, in the form that the program compares and keeps: lower case, no final dot, labels of 1-63 letters,
 * digits, hyphens and underscores (RFC 1035 section 2.3.1, and what is out there).  Pure functions.
 */
#ifndef NET_DNS_NAME_H
#define NET_DNS_NAME_H

#include "net/dns.h"

enum { DNS_LABEL_MOST = 63, DNS_NAME_MOST = 253 };

bool dns_name_byte(char c); /* in a label, lower case */
bool dns_name_normalize(const char *name, char to[DNS_NAME_SIZE]);

#endif
