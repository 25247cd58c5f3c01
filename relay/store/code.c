/* code.c -- what SQLite says, in our words. */
#include "store/code.h"

#include <errno.h>

int store_code(sqlite3 *db, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return -EBADMSG;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return -EACCES;
    case SQLITE_IOERR: {
        int e = sqlite3_system_errno(db) ? sqlite3_system_errno(db) : errno; /* a COMMIT that fails leaves it in errno alone */
        return e == ENOSPC || e == EDQUOT || e == EFBIG ? -ENOSPC : -EIO;
    }
    default:
        return -EIO;
    }
}
