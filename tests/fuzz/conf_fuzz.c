/* The configuration file. */
#include "fuzz.h"

#include "conf/conf.h"
#include "conf/schema.h"

#include <sys/mman.h>
#include <unistd.h>

/* What a parent read, its children get. */
static void check_transfer(const struct conf *c)
{
    struct buf first = {0}, second = {0};
    struct conf_errors errors = {0};
    struct conf child;
    int fd = memfd_create("conf", MFD_CLOEXEC);

    conf_write(c, &first);
    if (fd < 0 || write(fd, first.data, first.length) != (ssize_t)first.length || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    fuzz_check(conf_read(&child, fd, &errors));
    conf_write(&child, &second);
    fuzz_check(str_equal(buf_str(&first), buf_str(&second)));
    conf_done(&child);
    conf_errors_done(&errors);
    close(fd);
    buf_done(&first);
    buf_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *environment[] = {(char *)"TMAIL_ME=mx.example.org", NULL};
    struct conf_errors errors = {0};
    struct conf c;
    struct str content = fuzz_input(data, size), lines, line;
    char *exact = fuzz_exact(content);
    bool good = conf_load_content(&c, &tmail_schema, "tmail.cfg", (struct str){exact, content.length}, environment, &errors);

    fuzz_check(good == (errors.count == 0));
    lines = buf_str(&errors.lines);
    fuzz_check(good || str_ends(lines, STR("\n")));
    while (str_cut(&lines, '\n', &line))
        fuzz_check(!str_has_control(line));
    if (good)
        check_transfer(&c);
    conf_done(&c);
    conf_errors_done(&errors);
    free(exact);
    return 0;
}
