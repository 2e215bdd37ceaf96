# Le texte des avis aux expéditeurs (RFC 3464), en français.  TMAIL_BOUNCE_TEMPLATE désigne ce fichier ou une copie modifiée.
# tmail.cfg(5) dit ce qui peut figurer entre doubles accolades.  L'en-tête, ces commentaires et les champs ci-dessous, finit à la ligne vide.
Language: fr
Subject-Failed: Message non remis{{if subject}} : {{subject}}{{end}}
Subject-Delayed: Message retardé{{if subject}} : {{subject}}{{end}}
Subject-Delivered: Message remis{{if subject}} : {{subject}}{{end}}
Subject-Relayed: Message transmis{{if subject}} : {{subject}}{{end}}

Ceci est un avis du système de messagerie {{me}}.

{{if failed}}
Votre message n'a pas pu être remis aux destinataires suivants, et aucune
autre tentative ne sera faite :

{{each failed}}
  <{{address}}>
{{if original}}
    Vous avez écrit à <{{original}}>.
{{end}}
{{if reply}}
    {{host}} a répondu : {{reply}}
{{else}}
    {{if reason}}{{reason}} ({{status}}){{else}}Code {{status}}{{end}}
{{end}}

{{end}}
{{end}}
{{if delayed}}
Votre message n'a pas encore pu être remis aux destinataires suivants.
Il est inutile de le renvoyer, les tentatives continuent :

{{each delayed}}
  <{{address}}>
{{if original}}
    Vous avez écrit à <{{original}}>.
{{end}}
{{if reply}}
    {{host}} a répondu : {{reply}}
{{else}}
    {{if reason}}{{reason}} ({{status}}){{else}}Code {{status}}{{end}}
{{end}}
{{if until}}
    Les tentatives cesseront le {{until}}.
{{end}}

{{end}}
{{end}}
{{if delivered}}
Comme vous l'avez demandé, nous vous informons que votre message a été remis à :

{{each delivered}}
  <{{address}}>
{{if original}}
    Vous avez écrit à <{{original}}>.
{{end}}

{{end}}
{{end}}
{{if relayed}}
Comme vous l'avez demandé, nous vous informons que votre message a été transmis
aux systèmes de messagerie des destinataires suivants, qui pourraient ne plus
rien signaler à son sujet :

{{each relayed}}
  <{{address}}>
{{if original}}
    Vous avez écrit à <{{original}}>.
{{end}}
{{if host}}
    Transmis à {{host}}.
{{end}}

{{end}}
{{end}}
{{if more}}
Il y a {{more}} autres destinataires ; la deuxième partie de cet avis les nomme.

{{end}}
Il s'agit du message reçu de <{{sender}}>
le {{arrived}}, identifiant de file {{id}}{{if envid}}, identifiant d'enveloppe {{envid}}{{end}}.
{{if whole}}
Il est joint en entier.
{{else}}
Son en-tête est joint.
{{end}}
