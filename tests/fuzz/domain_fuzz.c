/* Domains and their one form. */
#include "fuzz.h"

#include "smtp/domain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = fuzz_input(data, size);
    char form[DOMAIN_SIZE], again[DOMAIN_SIZE], upper[DOMAIN_SIZE];
    struct address address;

    if (!domain_normalize(input, form))
        return 0;
    fuzz_check(form[0] != '\0' && strlen(form) <= DOMAIN_MAX);
    if (domain_is_literal(str_of(form), &address)) {
        char literal[ADDRESS_TEXT_SIZE];

        address_literal(&address, literal);
        fuzz_check(strcmp(literal, form) == 0);
    } else {
        fuzz_check(strspn(form, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == strlen(form));
        fuzz_check(form[0] != '.' && form[strlen(form) - 1] != '.' && strstr(form, "..") == NULL);
    }
    /* The form of a form is itself, in any case of its letters. */
    fuzz_check(domain_normalize(str_of(form), again) && strcmp(form, again) == 0);
    for (size_t i = 0; i <= strlen(form); i++)
        upper[i] = form[i] >= 'a' && form[i] <= 'z' ? (char)(form[i] - 32) : form[i];
    fuzz_check(domain_normalize(str_of(upper), again) && strcmp(form, again) == 0);
    return 0;
}
