#include "queue/schema.h"

#include <stddef.h>

#define STATE_NAME \
    "CASE r.state WHEN 1 THEN 'scheduled' WHEN 2 THEN 'in-progress' WHEN 3 THEN 'held' WHEN 4 THEN 'failed' ELSE 'done' END"
#define TIME_OF(column) "strftime('%Y-%m-%dT%H:%M:%SZ', " column " / 1000, 'unixepoch')"

/* The content is the last column, so that reading the others of a large message touches none of its pages. */
static const char message_table[] =
    "CREATE TABLE message (\n"
    "  id INTEGER PRIMARY KEY,          -- the queue id; printf('%016x', id) is how it is shown, id >> 21 the milliseconds of its birth\n"
    "  session TEXT NOT NULL,           -- id of the SMTP session it came in by\n"
    "  arrived INTEGER NOT NULL,\n"
    "  sender TEXT NOT NULL,            -- LOCAL@DOMAIN; '' is the null sender\n"
    "  sender_host TEXT NOT NULL,       -- the sender's domain in normal form\n"
    "  user TEXT,                       -- login of the client\n"
    "  client TEXT NOT NULL,            -- its address\n"
    "  helo TEXT NOT NULL,\n"
    "  via TEXT,                        -- protocol and TLS it came in by\n"
    "  kind INTEGER NOT NULL,           -- 0: mail, 1: a report of ours, 2: a report to the postmaster, which nothing answers\n"
    "  body INTEGER NOT NULL,           -- 0: 7BIT, 1: 8BITMIME; 2 more where MAIL had an AUTH parameter (RFC 4954), 4 more where TLS may fail\n"
    "  smtputf8 INTEGER NOT NULL,       -- 1: the header needs SMTPUTF8\n"
    "  ret INTEGER NOT NULL,            -- RFC 3461: 0 not given, 1 FULL, 2 HDRS\n"
    "  envid TEXT,                      -- RFC 3461, xtext as it came\n"
    "  size INTEGER NOT NULL,           -- octets of content\n"
    "  content BLOB NOT NULL\n"
    ");\n";

/* Recipients are stored next to each other by message, so they need no index for that; the indexes hold what is scheduled, by destination,
 * by flow and by time, which is how the scheduler asks; what is in progress, by owner; and what is over but not yet reported.  `state` stands
 * in the first three because SQLite reads it whatever the index's condition says.  Times are milliseconds since 1970. */
static const char recipient_table[] =
    "CREATE TABLE recipient (\n"
    "  message INTEGER NOT NULL,        -- message.id\n"
    "  number INTEGER NOT NULL,         -- from 1, in the order of RCPT\n"
    "  address TEXT NOT NULL,           -- LOCAL@DOMAIN\n"
    "  domain TEXT NOT NULL,            -- in normal form\n"
    "  flow INTEGER NOT NULL,           -- a number for whom it is from: the login, else the sender, else the client; senders take turns by it\n"
    "  taken TEXT,                      -- why it was accepted\n"
    "  notify INTEGER NOT NULL,         -- RFC 3461: 0 not given, else the sum of 1 NEVER, 2 SUCCESS, 4 FAILURE, 8 DELAY\n"
    "  orcpt TEXT,                      -- RFC 3461, as it came\n"
    "  route INTEGER,                   -- the route that an administrator chose for it\n"
    "  sender TEXT,                     -- another sender than the message's, made by SRS or for a mini-list\n"
    "  list TEXT,                       -- the mini-list whose member it is\n"
    "  state INTEGER NOT NULL,          -- 1 scheduled, 2 in progress, 3 held, 4 failed, 5 delivered, 6 relayed, 7 discarded; 4 to 7 until reported\n"
    "  wish INTEGER NOT NULL,           -- what an administrator wants when the attempt is over: 1 hold, 2 discard, 3 bounce; 0 nothing.  3 stays\n"
    "  warn INTEGER NOT NULL,           -- of a delay: 0 nothing was said, 1 a report is due, 2 the sender was told\n"
    "  due INTEGER NOT NULL,            -- when the next attempt may start\n"
    "  flushed INTEGER,                 -- when an administrator last asked for an attempt\n"
    "  attempts INTEGER NOT NULL,       -- started so far\n"
    "  crashes INTEGER NOT NULL,        -- of them, those whose process died\n"
    "  owner INTEGER,                   -- in progress: the deliverer that has it\n"
    "  tried INTEGER,                   -- when the last attempt ended\n"
    "  host TEXT,                       -- the next hop it spoke to, NAME[ADDRESS]:PORT\n"
    "  code INTEGER,                    -- SMTP reply code it ended with\n"
    "  enhanced TEXT,                   -- RFC 3463 code\n"
    "  reason TEXT,                     -- the text of the reply, or what went wrong\n"
    "  from_peer INTEGER,               -- 1: the words are the next hop's\n"
    "  tls TEXT,                        -- how the last attempt's connection was protected\n"
    "  PRIMARY KEY (message, number)\n"
    ") WITHOUT ROWID;\n"
    "CREATE INDEX recipient_due ON recipient (domain, due, state) WHERE state = 1;\n"
    "CREATE INDEX recipient_flow ON recipient (flow, domain, due, state) WHERE state = 1;\n"
    "CREATE INDEX recipient_time ON recipient (due, state) WHERE state = 1;\n"
    "CREATE INDEX recipient_owner ON recipient (owner) WHERE state = 2;\n"
    "CREATE INDEX recipient_over ON recipient (message) WHERE state >= 4 OR warn = 1;\n";

static const char history_tables[] =
    "CREATE TABLE history (\n"
    "  id INTEGER PRIMARY KEY,          -- in the order of what happened\n"
    "  at INTEGER NOT NULL,             -- when it was over\n"
    "  message INTEGER NOT NULL,        -- message.id or past.id\n"
    "  recipient TEXT,                  -- address; NULL: the message as a whole\n"
    "  event TEXT NOT NULL,             -- delivered deferred failed refused crashed held released flushed rerouted bounced discarded reported\n"
    "  attempt INTEGER,                 -- the number of the attempt that ended so; NULL: it was none\n"
    "  took INTEGER,                    -- of the attempt, in milliseconds\n"
    "  host TEXT,                       -- as in recipient, and so on\n"
    "  tls TEXT,\n"
    "  code INTEGER,\n"
    "  enhanced TEXT,\n"
    "  reason TEXT,\n"
    "  taken TEXT                       -- with the last event of a recipient\n"
    ");\n"
    "CREATE INDEX history_message ON history (message);\n"
    "CREATE TABLE past (\n"
    "  id INTEGER PRIMARY KEY,          -- of a message that is gone; the columns are those of message\n"
    "  session TEXT NOT NULL,\n"
    "  arrived INTEGER NOT NULL,\n"
    "  sender TEXT NOT NULL,\n"
    "  user TEXT,\n"
    "  client TEXT NOT NULL,\n"
    "  helo TEXT NOT NULL,\n"
    "  via TEXT,\n"
    "  kind INTEGER NOT NULL,\n"
    "  envid TEXT,\n"
    "  size INTEGER NOT NULL\n"
    ");\n";

/* What people and scripts may rely on. */
static const char views[] =
    "CREATE VIEW queue_list AS\n"
    "  SELECT printf('%016x', m.id) AS id, m.sender AS sender, r.address AS recipient, " STATE_NAME " AS status,\n"
    "    " TIME_OF("m.arrived") " AS added, CASE r.state WHEN 1 THEN " TIME_OF("r.due") " END AS next,\n"
    "    r.attempts AS attempts, r.code AS code, r.enhanced AS enhanced, r.reason AS reason, r.host AS host, r.tls AS tls, m.size AS size\n"
    "  FROM message m JOIN recipient r ON r.message = m.id;\n"
    "CREATE VIEW v_message AS\n"
    "  SELECT printf('%016x', id) AS id, session, " TIME_OF("arrived") " AS added, sender, user AS login, client, helo, via,\n"
    "    CASE kind WHEN 0 THEN 'mail' ELSE 'report' END AS kind, envid, size FROM message;\n"
    "CREATE VIEW v_recipient AS\n"
    "  SELECT printf('%016x', r.message) AS id, r.number AS number, r.address AS recipient, r.domain AS domain, " STATE_NAME " AS status,\n"
    "    " TIME_OF("(r.message >> 21)") " AS added, CASE r.state WHEN 1 THEN " TIME_OF("r.due") " END AS next, r.attempts AS attempts,\n"
    "    " TIME_OF("r.tried") " AS tried, r.host AS host, r.tls AS tls, r.code AS code, r.enhanced AS enhanced, r.reason AS reason,\n"
    "    r.taken AS taken, r.route AS route FROM recipient r;\n"
    "CREATE VIEW v_attempt AS\n"
    "  SELECT printf('%016x', message) AS id, recipient, attempt, event AS result, " TIME_OF("at") " AS ended, took, host, tls, code, enhanced, reason\n"
    "  FROM history WHERE attempt IS NOT NULL;\n"
    "CREATE VIEW v_destination AS\n"
    "  SELECT r.domain AS domain, count(*) AS recipients, sum(r.state = 1) AS scheduled, sum(r.state = 2) AS in_progress, sum(r.state = 3) AS held,\n"
    "    sum(r.state = 4) AS failed, " TIME_OF("min(r.message >> 21)") " AS oldest, " TIME_OF("min(CASE r.state WHEN 1 THEN r.due END)") " AS next\n"
    "  FROM recipient r GROUP BY r.domain;\n";

const char *const queue_schema_sql[] = {message_table, recipient_table, history_tables, views, NULL};

static const char keep_tls[] = "ALTER TABLE recipient ADD COLUMN tls TEXT;\n";

/* Columns stand in an order: the rows are copied, and until it is over an upgrade needs the room of the queue a second time. */
static const char put_aside[] =
    "DROP VIEW IF EXISTS queue_list;\n"
    "DROP INDEX recipient_due;\n"
    "ALTER TABLE message RENAME TO old_message;\n"
    "ALTER TABLE recipient RENAME TO old_recipient;\n";
static const char copy_back[] =
    "INSERT INTO message SELECT id, session, arrived, sender, sender_host, user, client, helo, NULL, 0, body, smtputf8, ret, envid, size, content\n"
    "  FROM old_message;\n"
    "INSERT INTO recipient SELECT message, number, address, domain, 0, NULL, notify, orcpt, NULL, NULL, NULL, state, 0, 0, due, flushed, attempts, crashes,\n"
    "  owner, tried, host, code, enhanced, reason, 0, tls FROM old_recipient;\n"
    "DROP TABLE old_recipient;\n"
    "DROP TABLE old_message;\n";

/* From version 1, which did not keep `tls`; from 2, which kept no history and did not know flows. */
const char *const queue_upgrades[QUEUE_SCHEMA_VERSION][QUEUE_UPGRADE_STEPS] = {
    [1] = {keep_tls},
    [2] = {put_aside, message_table, recipient_table, history_tables, copy_back, views},
};
