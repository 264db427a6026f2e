package store

import (
	"io"
	"os"
)

// aheadMost is how much of a database is read ahead: more may not stay in memory.
const aheadMost = 1 << 30

// readAhead reads the database from its begin to its end, so that the check finds
// it in memory. The check by itself goes from page to page, and after a boot the
// disk answers one by one: that takes five times as long. What can't be read is
// told by whoever opens the database.
//
// It must come before that: when a process closes a file, it gives up the locks
// that it has on it, SQLite's too.
func readAhead(path string) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	const piece = 1 << 20
	buf := make([]byte, piece)
	for n := 0; n < aheadMost; n += piece {
		if _, err := io.ReadFull(f, buf); err != nil {
			return // its end, mostly
		}
	}
}
