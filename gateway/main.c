/*
 * main - the door of the program.
 *
 * `child` is the parent's own word for what it starts and is in no table; everything else goes by the tables of admin/.
 */
#include "config.h"

#include "admin/groups.h"
#include "child.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A database opened as descriptor 2 would get our complaints written into it. */
static void fill_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

int main(int argc, char **argv)
{
    const struct command_table table = {command_groups, command_group_count, PACKAGE_VERSION};

    fill_standard_descriptors();
    umask(027);
    if (argc > 1 && strcmp(argv[1], "child") == 0)
        return child_main(argc, argv);
    return command_main(&table, argc, argv, environ);
}
