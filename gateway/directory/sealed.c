#include "directory/sealed.h"

struct status sealed_check(struct tables *t, struct secrets *secrets)
{
    struct db_query *q = tables_query(t, "SELECT 1 FROM routes WHERE substr(smtp_auth_passwd, 1, 8) = '{sealed}' UNION ALL"
                                         " SELECT 1 FROM oauth_clients WHERE client_secret IS NOT NULL OR refresh_token IS NOT NULL LIMIT 1");
    char error[SECRETS_ERROR_SIZE];
    bool any;

    if (q == NULL)
        return tables_failed(t);
    any = db_step(q);
    if (!db_finish(q))
        return tables_failed(t);
    return secrets_check(secrets, any, error, sizeof error) ? status_ok() : tables_refused("%s", error);
}
