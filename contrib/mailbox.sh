# Sourced by contrib/try: a mailbox in a Dovecot of its own, with the configuration that `tmail dovecot config` prints.

password="try it"

# Whether all of it is here, and the version that is configured below.
has_dovecot() {
    [ -z "$(missing_packages dovecot)" ] && PATH=$PATH:/usr/sbin dovecot --version 2>/dev/null | grep -q '^2\.3\.'
}

# What tmail has to know of it.
mailbox_keys() {
    cat <<END
TMAIL_DOVECOT_SUPPORT_ENABLED=true
TMAIL_LMTP_ADDRESS=unix:$FOLDER/lmtp
TMAIL_USERS_HOME_BASE=$FOLDER/mailboxes
TMAIL_POSTMASTER=ann@example.org
END
}

# Where this one differs from a host's: all of it lies in the folder, on a port of its own, and needs no root.
overrides() {
    cat <<END
base_dir = $FOLDER/dovecot
state_dir = $FOLDER/dovecot
log_path = $FOLDER/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
service imap-login {
  chroot =
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = $imap_port
  }
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
END
    [ "$(id -u)" = 0 ] || cat <<END
default_internal_user = $user
default_internal_group = $(id -gn)
default_login_user = $user
service auth {
  user = $user
}
service lmtp {
  user = $user
}
END
}

# A Dovecot for the users of this tmail, and a user.
start_mailbox() {
    has_dovecot || fail "Dovecot 2.3 is not here, and contrib/try knows no other"
    mkdir -m 700 "$FOLDER/mailboxes" && mkdir "$FOLDER/dovecot" || exit 1
    [ "$(id -u)" != 0 ] || chown "$user" "$FOLDER/mailboxes"
    printf '%s\n' "$password" | $tmail user add -m ann@example.org || fail "could not add the user"
    evidence=$FOLDER/dovecot.log
    { $tmail dovecot config --version 2.3 --sql-file "$FOLDER/dovecot-sql.conf" && overrides; } >"$FOLDER/dovecot.conf" 2>"$evidence" &&
        $tmail dovecot config --version 2.3 --sql >"$FOLDER/dovecot-sql.conf" 2>>"$evidence" ||
        fail "no configuration for Dovecot" "$evidence"
    PATH=$PATH:/usr/sbin dovecot -F -c "$FOLDER/dovecot.conf" >>"$FOLDER/dovecot.log" 2>&1 </dev/null &
    mailboxes=$!
    await "the start of Dovecot" listens "$imap_port"
    evidence=$FOLDER/tmail.log
}

# By TLS, with the certificate that tmail has made.
read_mailbox() {
    /usr/bin/python3 - "$imap_port" "$FOLDER/ssl/server.crt" ann@example.org "$password" <<'END'
import imaplib, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
context.check_hostname = False
with imaplib.IMAP4_SSL("127.0.0.1", int(sys.argv[1]), ssl_context=context, timeout=15) as mailbox:
    mailbox.login(*sys.argv[3:])
    mailbox.select("INBOX")
    for number in mailbox.search(None, "ALL")[1][0].split():
        print(mailbox.fetch(number, "(RFC822)")[1][0][1].decode().replace("\r\n", "\n"))
END
}
