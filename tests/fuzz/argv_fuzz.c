/* A command cut into its words, and the words quoted and cut again. */
#include "fuzz.h"

#include "base/argv.h"

static void quote(struct str word, struct buf *to)
{
    buf_add_byte(to, '"');
    for (size_t i = 0; i < word.length; i++) {
        if (word.data[i] == '"' || word.data[i] == '\\')
            buf_add_byte(to, '\\');
        buf_add_byte(to, word.data[i]);
    }
    buf_add_text(to, "\" ");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_exact(fuzz_input(data, size));
    struct arena arena = {0};
    struct buf quoted = {0};
    struct argv argv, again;
    const char *why;

    if (argv_split((struct str){copy, size}, &arena, &argv, &why)) {
        fuzz_check(why == NULL && argv.count > 0 && argv.words[0].length > 0);
        for (size_t i = 0; i < argv.count; i++) {
            fuzz_check(argv.words[i].data[argv.words[i].length] == '\0' && !str_has(argv.words[i], '\0'));
            quote(argv.words[i], &quoted);
        }
        if (argv_split(buf_str(&quoted), &arena, &again, &why)) {
            fuzz_check(again.count == argv.count);
            for (size_t i = 0; i < argv.count; i++)
                fuzz_check(str_equal(argv.words[i], again.words[i]));
        } else {
            fuzz_check(quoted.length > ARGV_SIZE);
        }
    } else {
        fuzz_check(why != NULL && why[0] != '\0');
    }
    buf_done(&quoted);
    arena_done(&arena);
    free(copy);
    return 0;
}
