#include "queue/schema.h"

#define QUEUE_VIEW \
    "CREATE VIEW queue_list AS\n" \
    "  SELECT printf('%016x', m.id) AS id, m.sender AS sender, r.address AS recipient,\n" \
    "    CASE r.state WHEN 1 THEN 'scheduled' WHEN 2 THEN 'in-progress' WHEN 3 THEN 'held' ELSE 'failed' END AS status,\n" \
    "    strftime('%Y-%m-%dT%H:%M:%SZ', m.arrived / 1000, 'unixepoch') AS added,\n" \
    "    CASE r.state WHEN 1 THEN strftime('%Y-%m-%dT%H:%M:%SZ', r.due / 1000, 'unixepoch') END AS next,\n" \
    "    r.attempts AS attempts, r.code AS code, r.enhanced AS enhanced, r.reason AS reason, r.host AS host, r.tls AS tls, m.size AS size\n" \
    "  FROM message m JOIN recipient r ON r.message = m.id;\n"

/* The content is the last column, so that reading the others of a large message touches none of its pages.  Recipients are stored next to
 * each other by message, so they need no index for that; the one index holds what is scheduled and nothing else, by destination and time,
 * which is how the scheduler asks.  Times are milliseconds since 1970. */
const char queue_schema_sql[] =
    "CREATE TABLE message (\n"
    "  id INTEGER PRIMARY KEY,          -- the queue id; printf('%016x', id) is how it is shown\n"
    "  session TEXT NOT NULL,           -- id of the SMTP session it came in by\n"
    "  arrived INTEGER NOT NULL,\n"
    "  sender TEXT NOT NULL,            -- LOCAL@DOMAIN; '' is the null sender\n"
    "  sender_host TEXT NOT NULL,       -- the sender's domain in normal form\n"
    "  user TEXT,                       -- login of the client\n"
    "  client TEXT NOT NULL,            -- its address\n"
    "  helo TEXT NOT NULL,\n"
    "  body INTEGER NOT NULL,           -- 0: 7BIT, 1: 8BITMIME; 2 more where MAIL had an AUTH parameter (RFC 4954), 4 more where TLS may fail\n"
    "  smtputf8 INTEGER NOT NULL,       -- 1: the header needs SMTPUTF8\n"
    "  ret INTEGER NOT NULL,            -- RFC 3461: 0 not given, 1 FULL, 2 HDRS\n"
    "  envid TEXT,                      -- RFC 3461, xtext as it came\n"
    "  size INTEGER NOT NULL,           -- octets of content\n"
    "  content BLOB NOT NULL\n"
    ");\n"
    "CREATE TABLE recipient (\n"
    "  message INTEGER NOT NULL,        -- message.id\n"
    "  number INTEGER NOT NULL,         -- from 1, in the order of RCPT\n"
    "  address TEXT NOT NULL,           -- LOCAL@DOMAIN\n"
    "  domain TEXT NOT NULL,            -- in normal form\n"
    "  notify INTEGER NOT NULL,         -- RFC 3461: 0 not given, else the sum of 1 NEVER, 2 SUCCESS, 4 FAILURE, 8 DELAY\n"
    "  orcpt TEXT,                      -- RFC 3461, as it came\n"
    "  state INTEGER NOT NULL,          -- 1 scheduled, 2 in progress, 3 held, 4 failed\n"
    "  due INTEGER NOT NULL,            -- when the next attempt may start\n"
    "  flushed INTEGER,                 -- when an administrator last asked for an attempt\n"
    "  attempts INTEGER NOT NULL,       -- started so far\n"
    "  crashes INTEGER NOT NULL,        -- of them, those whose process died\n"
    "  owner INTEGER,                   -- in progress: the deliverer that has it\n"
    "  tried INTEGER,                   -- when the last attempt ended\n"
    "  host TEXT,                       -- the next hop it spoke to\n"
    "  code INTEGER,                    -- SMTP reply code it ended with\n"
    "  enhanced TEXT,                   -- RFC 3463 code\n"
    "  reason TEXT,                     -- the text of the reply, or what went wrong\n"
    "  tls TEXT,                        -- how the last attempt's connection was protected\n"
    "  PRIMARY KEY (message, number)\n"
    ") WITHOUT ROWID;\n"
    "CREATE INDEX recipient_due ON recipient (domain, due) WHERE state = 1;\n"
    QUEUE_VIEW;

/* From version 1, which did not keep `tls`. */
const char *const queue_upgrades[QUEUE_SCHEMA_VERSION] = {
    [1] = "ALTER TABLE recipient ADD COLUMN tls TEXT;\n"
          "DROP VIEW queue_list;\n" QUEUE_VIEW,
};
