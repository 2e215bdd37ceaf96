#include "conf/near_miss.h"

#include <string.h>

enum { WORD_MAX = 80 };

struct near_miss near_miss_of(struct str typed)
{
    /* A third of the letters may be wrong, and never more than three. */
    size_t allowed = typed.length < 3 ? 1 : typed.length / 3;

    return (struct near_miss){.typed = typed, .distance = (allowed < 3 ? allowed : 3) + 1};
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool same(struct str a, size_t i, struct str b, size_t j)
{
    return ascii_lower(a.data[i]) == ascii_lower(b.data[j]);
}

/* Optimal string alignment, three rows of the matrix at a time. */
static size_t distance(struct str a, struct str b)
{
    size_t rows[3][WORD_MAX + 1];

    for (size_t j = 0; j <= b.length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.length; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b.length; j++) {
            row[j] = above[j - 1] + (same(a, i - 1, b, j - 1) ? 0 : 1);
            row[j] = smaller(row[j], smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && same(a, i - 1, b, j - 2) && same(a, i - 2, b, j - 1))
                row[j] = smaller(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a.length % 3][b.length];
}

void near_miss_try(struct near_miss *m, const char *word)
{
    struct str known = str_of(word);
    size_t found;

    if (m->typed.length > WORD_MAX || known.length > WORD_MAX)
        return;
    found = distance(m->typed, known);
    if (found < m->distance) {
        m->word = word;
        m->distance = found;
    }
}
