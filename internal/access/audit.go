package access

import "time"

// Entry is a call that may have changed something.
type Entry struct {
	ID        string // UUIDv7: sorts by time
	At        time.Time
	Caller    string // empty: anonymous
	Namespace string
	Operation string // as the API's document names it
	Path      string // without its query
	Subject   string // what it was about, where the path does not say so
	Remote    string // the address that it came from
	Status    int    // of HTTP; 0: it was never answered
	Run       string // that the call made or was answered with
}

// EntryFilter chooses entries.
type EntryFilter struct {
	After  string // only those behind this one
	Caller string
	Limit  int // the newest ones, or with After the next ones
}
