package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// entry is a line of the ledger: what a program did.
type entry struct {
	what      string // start, end or overlap
	key       string
	container string // the beginning of its id
	code      int    // of an end
}

// readLedger reads what the programs wrote, in its order. It is empty where none
// wrote anything.
func readLedger(dir string) ([]entry, error) {
	text, err := os.ReadFile(filepath.Join(dir, "ledger"))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return parseLedger(string(text))
}

func parseLedger(text string) ([]entry, error) {
	var all []entry
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		var err error
		switch {
		case len(f) == 3 && (f[0] == "start" || f[0] == "overlap"):
			all = append(all, entry{what: f[0], key: f[1], container: f[2]})
		case len(f) == 4 && f[0] == "end":
			e := entry{what: f[0], key: f[1], container: f[2]}
			e.code, err = strconv.Atoi(f[3])
			all = append(all, e)
		default:
			err = fmt.Errorf("it makes no sense")
		}
		if err != nil {
			return nil, fmt.Errorf("read the ledger: line %q: %w", strings.TrimSpace(line), err)
		}
	}
	return all, nil
}

// execution is what the ledger says of a container.
type execution struct {
	starts    int
	at        int // place of the start in the ledger
	endAt     int // of the end
	ended     bool
	code      int
	container string
	key       string
}

// executions sorts the ledger by container, and gives the overlaps beside them.
func executions(all []entry) (by map[string]*execution, overlaps []entry) {
	by = map[string]*execution{}
	for place, e := range all {
		if e.what == "overlap" {
			overlaps = append(overlaps, e)
			continue
		}
		x := by[e.container]
		if x == nil {
			x = &execution{container: e.container, key: e.key}
			by[e.container] = x
		}
		if e.what == "start" {
			x.starts, x.at = x.starts+1, place
		} else {
			x.ended, x.code, x.endAt = true, e.code, place
		}
	}
	return by, overlaps
}
