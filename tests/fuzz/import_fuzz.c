/* qmail-remote's control files: routes, routemap and defaultoutgoingip, with the octet 30 between them. */
#include "fuzz.h"

#include "directory/routes_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[IMPORT_PARTS] = {"routes", "routemap", "defaultoutgoingip"};
    struct import_file files[IMPORT_PARTS] = {{NULL, {NULL, 0}}, {NULL, {NULL, 0}}, {NULL, {NULL, 0}}};
    struct routes_import r = {0};
    struct str rest = fuzz_input(data, size), part, complaints, line;
    size_t told = 0;
    bool good;

    for (size_t i = 0; i < IMPORT_PARTS && str_cut(&rest, 30, &part); i++)
        files[i] = (struct import_file){names[i], part};
    good = routes_import_read(&r, files);
    fuzz_check(good == (r.bad == 0));
    complaints = buf_str(&r.complaints);
    while (complaints.length > 0 && str_cut(&complaints, '\n', &line)) {
        fuzz_check(!str_has_control(line));
        told += line.length > 0;
    }
    fuzz_check(told <= IMPORT_COMPLAINTS_MAX + 1 && (told > 0) == (r.bad > 0));
    for (size_t i = 0; good && i < r.line_count; i++) {
        fuzz_check(r.lines[i].domain != NULL && r.lines[i].route != NULL);
        fuzz_check(!str_has_control(str_of(r.lines[i].domain)) && !str_has_control(str_of(r.lines[i].sender)));
    }
    routes_import_done(&r);
    return 0;
}
