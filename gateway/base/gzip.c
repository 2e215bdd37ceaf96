#include "base/gzip.h"

#include <stdlib.h>

#define ZLIB_CONST /* what is read may be const */
#include <zlib.h>

enum { GZIP_FORMAT = 16, WINDOW = 15, MEMORY = 8, PIECE = 1 << 20 }; /* 16 more in the window's bits mean gzip */

static void give(z_stream *z, struct str bytes)
{
    z->next_in = (const Bytef *)bytes.data;
    z->avail_in = (uInt)bytes.length;
}

/* What zlib makes of the input that it has. */
static void take(z_stream *z, int flush, struct buf *to)
{
    int result;

    do {
        size_t bound = deflateBound(z, z->avail_in);
        char *room = buf_room(to, bound);

        if (room == NULL) /* `full` says so */
            return;
        z->next_out = (Bytef *)room;
        z->avail_out = (uInt)bound;
        result = deflate(z, flush);
        buf_grew(to, bound - z->avail_out);
    } while (z->avail_out == 0 && result == Z_OK);
}

void gzip_write(struct str bytes, struct buf *to)
{
    z_stream z = {0};

    /* It fails for want of memory alone, as base/memory would. */
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW + GZIP_FORMAT, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    for (; bytes.length > PIECE; bytes = str_from(bytes, PIECE)) {
        give(&z, str_part(bytes, 0, PIECE));
        take(&z, Z_NO_FLUSH, to);
    }
    give(&z, bytes);
    take(&z, Z_FINISH, to);
    deflateEnd(&z);
}
