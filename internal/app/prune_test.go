package app

import (
	"testing"

	"github.com/prewarm/prewarm/config"
)

// Shares are of the disk and of the budget; bytes beside a budget are of that alone.
func TestMarks(t *testing.T) {
	t.Parallel()
	shares := config.Disk{High: config.Mark{Percent: 80}, Low: config.Mark{Percent: 50}}
	bytes := config.Disk{High: config.Mark{Bytes: 400}, Low: config.Mark{Bytes: 300}}
	with := func(d config.Disk) config.Disk { d.Budget = 500; return d }
	for name, c := range map[string]struct {
		disk      config.Disk
		total     int64
		budget    bool
		high, low int64
	}{
		"shares of a disk":                    {shares, 1000, false, 800, 500},
		"shares of a budget":                  {with(shares), 500, true, 400, 250},
		"shares of the disk beside a budget":  {with(shares), 1000, false, 800, 500},
		"bytes of a disk":                     {bytes, 1000, false, 400, 300},
		"bytes of a budget":                   {with(bytes), 500, true, 400, 300},
		"bytes of no disk beside that budget": {with(bytes), 1000, false, 0, 0},
		"none":                                {config.Disk{}, 1000, false, 0, 0},
	} {
		if high, low := marksOf(c.disk)(c.total, c.budget); high != c.high || low != c.low {
			t.Errorf("%s: %d, %d, want %d, %d", name, high, low, c.high, c.low)
		}
	}
}
