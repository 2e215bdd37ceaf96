#include "test.h"

#include "base/tree.h"

#include "place.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

static struct place place;

static void make_folder(const char *name)
{
    check(mkdir(place_path(&place, name), 0755) == 0);
}

static void make_file(const char *name)
{
    int fd = open(place_path(&place, name), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

    if (check(fd >= 0))
        close(fd);
}

static bool exists(const char *name)
{
    struct stat st;

    return lstat(place_path(&place, name), &st) == 0;
}

/* base/d/dom/u/user/Maildir/cur/1, and what is outside. */
static void setup(void)
{
    static const char *const folders[] = {"base", "base/d", "base/d/dom", "base/d/dom/u", "base/d/dom/u/user", "base/d/dom/u/user/Maildir",
                                          "base/d/dom/u/user/Maildir/cur", "outside", "outside/sub"};

    place_open(&place);
    for (size_t i = 0; i < TEST_COUNT(folders); i++)
        make_folder(folders[i]);
    make_file("base/d/dom/u/user/Maildir/cur/1");
    make_file("base/d/dom/u/user/Maildir/.hidden");
    make_file("outside/file");
}

static void check_delete(const char *path, bool gone, const char *trouble)
{
    struct buf text = {0};
    char base[128];

    snprintf(base, sizeof base, "%s/base", place.folder);
    check(tree_delete(base, str_of(path), &text) == gone);
    check_has(buf_text(&text), trouble);
    check((text.length > 0) == (trouble[0] != '\0'));
    buf_done(&text);
}

static void all_goes_and_empty_folders_above(void)
{
    setup();
    check_delete("d/dom/u/user", true, "");
    check(!exists("base/d"));
    check(exists("base"));
    check(exists("outside/file"));
    check_delete("d/dom/u/user", true, ""); /* gone already */
    place_close(&place);
}

static void neighbours_stay(void)
{
    setup();
    make_folder("base/d/dom/u/user2");
    check_delete("d/dom/u/user", true, "");
    check(!exists("base/d/dom/u/user"));
    check(exists("base/d/dom/u/user2"));
    place_close(&place);
}

/* Of what a link points to, nothing is touched. */
static void links_are_not_followed(void)
{
    setup();
    check(symlink("../../../../../outside", place_path(&place, "base/d/dom/u/user/link")) == 0);
    check(symlink("../../../../../outside/file", place_path(&place, "base/d/dom/u/user/file")) == 0);
    check(symlink("nowhere", place_path(&place, "base/d/dom/u/user/dangling")) == 0);
    check_delete("d/dom/u/user", true, "");
    check(!exists("base/d"));
    check(exists("outside/file") && exists("outside/sub"));
    place_close(&place);
}

/* A link as the home itself goes as a link; one on the way ends there. */
static void links_in_the_path(void)
{
    setup();
    check(symlink("../../../../outside", place_path(&place, "base/d/dom/u/me")) == 0);
    check_delete("d/dom/u/me", true, "");
    check(!exists("base/d/dom/u/me"));
    check(symlink("../../outside", place_path(&place, "base/d/other")) == 0);
    check_delete("d/other/file", false, "base/d/other: ");
    check_delete("d/other/sub", false, "base/d/other: ");
    check(exists("outside/file") && exists("outside/sub"));
    place_close(&place);
}

static void odd_paths_are_refused(void)
{
    static const char *const paths[] = {"", "/", "..", ".", "../outside", "d/../../outside", "/d/dom", "d//dom", "d/dom/u/..", "d/./dom"};

    setup();
    for (size_t i = 0; i < TEST_COUNT(paths); i++)
        check_delete(paths[i], false, ": Invalid argument\n");
    check(exists("outside/file") && exists("base/d/dom/u/user/Maildir/cur/1"));
    place_close(&place);
}

static void make_many(const char *folder, int count)
{
    for (int i = 0; i < count; i++) {
        char name[128];

        snprintf(name, sizeof name, "%s/%d", folder, i);
        make_file(name);
    }
}

static void many_files(void)
{
    setup();
    make_many("base/d/dom/u/user/Maildir/cur", 1);
    make_many("base/d/dom/u/user", 3000);
    check_delete("d/dom/u/user", true, "");
    check(!exists("base/d"));
    place_close(&place);
}

/* Deeper than descriptors would last: it says so, and what is above stays. */
static void depth_has_an_end(void)
{
    char path[256];
    int fd, next;

    setup();
    snprintf(path, sizeof path, "%s", place_path(&place, "base/d/dom/u/user"));
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 150 && check(fd >= 0); i++) {
        check(mkdirat(fd, "x", 0755) == 0);
        next = openat(fd, "x", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(fd);
        fd = next;
    }
    close(fd);
    check_delete("d/dom/u/user", false, "Too many levels");
    check(exists("base/d/dom/u/user/x/x"));
    check(!exists("base/d/dom/u/user/Maildir"));
    place_close(&place);
}

/* Names of files are anybody's. */
static void names_are_made_printable(void)
{
    setup();
    make_folder("base/d/dom/u/user/\x1b[2J\nx");
    make_file("base/d/dom/u/user/\x1b[2J\nx/y");
    if (geteuid() == 0) { /* as root nothing is forbidden */
        check_delete("d/dom/u/user", true, "");
    } else {
        check(chmod(place_path(&place, "base/d/dom/u/user/\x1b[2J\nx"), 0500) == 0);
        check_delete("d/dom/u/user", false, "user/?[2J?x/y: Permission denied\n");
        check(chmod(place_path(&place, "base/d/dom/u/user/\x1b[2J\nx"), 0700) == 0);
    }
    place_close(&place);
}

/* In a world of its own, which not everybody may make. */
static bool mount_something(const char *folder)
{
    return unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mount("none", folder, "tmpfs", 0, NULL) == 0;
}

/* What somebody mounted in the home, a backup perhaps, is none of its mail.  The last case: the process has other mounts from here on. */
static void other_file_systems_stay(void)
{
    char folder[256];
    bool mounted, made;

    setup();
    make_folder("base/d/dom/u/user/mounted");
    snprintf(folder, sizeof folder, "%s", place_path(&place, "base/d/dom/u/user/mounted"));
    mounted = mount_something(folder);
    if (mounted) {
        made = mkdir(place_path(&place, "base/d/dom/u/user/mounted/x"), 0700) == 0; /* not for a user whom that world does not know */
        check_delete("d/dom/u/user", false, "user/mounted: Another file system is mounted here\n");
        check(exists("base/d/dom/u/user/mounted/x") == made);
        check(!exists("base/d/dom/u/user/Maildir"));
        check_delete("d/dom/u/user/mounted", false, "user/mounted: Another file system is mounted here\n");
        check(exists("base/d/dom/u/user/mounted/x") == made);
        if (made) { /* one on the way was named, and is no surprise */
            check_delete("d/dom/u/user/mounted/x", true, "");
            check(!exists("base/d/dom/u/user/mounted/x"));
        }
        check(umount2(folder, MNT_DETACH) == 0);
    } else {
        printf("# nothing may be mounted here: not tested\n");
    }
    place_close(&place);
}

static const struct test_case cases[] = {
    TEST_CASE(all_goes_and_empty_folders_above),
    TEST_CASE(neighbours_stay),
    TEST_CASE(links_are_not_followed),
    TEST_CASE(links_in_the_path),
    TEST_CASE(odd_paths_are_refused),
    TEST_CASE(many_files),
    TEST_CASE(depth_has_an_end),
    TEST_CASE(names_are_made_printable),
    TEST_CASE(other_file_systems_stay),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
