/* code.h -- what SQLite says, in our words. */
#ifndef STORE_CODE_H
#define STORE_CODE_H

#include <sqlite3.h>

/* store_code -- of a result code of this database: 0; -ENOSPC; -EBADMSG; -EACCES; -EIO for all else. */
int store_code(sqlite3 *db, int rc);

#endif
