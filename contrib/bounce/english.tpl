# The words of reports to senders (RFC 3464), in English: what is built in.  TMAIL_BOUNCE_TEMPLATE names a copy of this file with other words.
# tmail.cfg(5) says what may stand in two braces.  The head, with these comments and the fields below, ends at the empty line.
Language: en
Subject-Failed: Undelivered mail{{if subject}}: {{subject}}{{end}}
Subject-Delayed: Delayed mail{{if subject}}: {{subject}}{{end}}
Subject-Delivered: Delivered mail{{if subject}}: {{subject}}{{end}}
Subject-Relayed: Relayed mail{{if subject}}: {{subject}}{{end}}

This is the mail system of {{me}}.

{{if failed}}
Your message could not be delivered to the following recipients, and no
further attempt will be made:

{{each failed}}
  <{{address}}>
{{if original}}
    You wrote to <{{original}}>.
{{end}}
{{if reply}}
    {{host}} answered: {{reply}}
{{else}}
    {{if reason}}{{reason}} ({{status}}){{else}}Status {{status}}{{end}}
{{end}}

{{end}}
{{end}}
{{if delayed}}
Your message could not be delivered to the following recipients so far.
There is no need to send it again, attempts go on:

{{each delayed}}
  <{{address}}>
{{if original}}
    You wrote to <{{original}}>.
{{end}}
{{if reply}}
    {{host}} answered: {{reply}}
{{else}}
    {{if reason}}{{reason}} ({{status}}){{else}}Status {{status}}{{end}}
{{end}}
{{if until}}
    Attempts end at {{until}}.
{{end}}

{{end}}
{{end}}
{{if delivered}}
As you asked to be told: your message was delivered to

{{each delivered}}
  <{{address}}>
{{if original}}
    You wrote to <{{original}}>.
{{end}}

{{end}}
{{end}}
{{if relayed}}
As you asked to be told: your message was handed over to the mail systems of
the following recipients. You may hear no more of it from them.

{{each relayed}}
  <{{address}}>
{{if original}}
    You wrote to <{{original}}>.
{{end}}
{{if host}}
    Handed over to {{host}}.
{{end}}

{{end}}
{{end}}
{{if more}}
There are {{more}} more recipients; the second part of this report has them.

{{end}}
The message is the one that was received from <{{sender}}>
at {{arrived}}, queue id {{id}}{{if envid}}, envelope id {{envid}}{{end}}.
{{if whole}}
All of it is attached.
{{else}}
Its header is attached.
{{end}}
