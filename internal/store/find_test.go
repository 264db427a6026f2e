package store

import (
	"strings"
	"testing"

	"github.com/prewarm/prewarm/runner"
)

// Everybody waits while the database reads, so no search may read all runs. A
// page of all of them is read from the newest on, and ends with its limit.
func TestSearchesUseIndices(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	filter := func(f runner.Filter) func() (string, []any) {
		f.Limit = 100
		return func() (string, []any) { return chosen(f) }
	}
	fixed := func(rest string, args ...any) func() (string, []any) {
		return func() (string, []any) { return rest, args }
	}
	for name, c := range map[string]struct {
		search func() (string, []any)
		index  string
	}{
		"by call":          {fixed(`WHERE namespace = $1 AND idempotency = $2 AND idempotency <> ''`, "n", "w"), "run_of_call"},
		"by key":           {fixed(ofKey, "n", "k"), "runs_of_key"},
		"unfinished":       {fixed(unfinished), "unfinished_runs"},
		"ended long ago":   {fixed(longEnded, 1, 2), "ended_runs"},
		"what it answers":  {fixed(longEnded, 1, 2), "runs_answered_by"},
		"a page":           {filter(runner.Filter{Before: "x"}), "sqlite_autoindex_runs_1"},
		"active":           {filter(runner.Filter{Active: true}), "unfinished_runs"},
		"a state":          {filter(runner.Filter{States: []runner.State{runner.Lost}}), "runs_in_state"},
		"states":           {filter(runner.Filter{States: []runner.State{runner.Lost, runner.Failed}}), "runs_in_state"},
		"image":            {filter(runner.Filter{Image: "i"}), "runs_of_image"},
		"host":             {filter(runner.Filter{Host: "h"}), "runs_of_host"},
		"key":              {filter(runner.Filter{Key: "k"}), "runs_of_key"},
		"scope":            {filter(runner.Filter{Scope: "s"}), "runs_of_scope"},
		"scope and states": {filter(runner.Filter{Scope: "s", States: []runner.State{runner.Lost, runner.Failed}}), "COVERING INDEX runs_of_scope"},
		"image and states": {filter(runner.Filter{Image: "i", States: []runner.State{runner.Lost, runner.Failed}}), "COVERING INDEX runs_of_image"},
		"host and states":  {filter(runner.Filter{Host: "h", States: []runner.State{runner.Lost, runner.Failed}}), "COVERING INDEX runs_of_host"},
	} {
		t.Run(name, func(t *testing.T) {
			rest, args := c.search()
			plan := plan(t, s, `SELECT `+runColumns+` FROM runs `+rest, args...)
			if !strings.Contains(plan, c.index) {
				t.Errorf("%s is not used:\n%s", c.index, plan)
			}
			for line := range strings.Lines(plan) {
				if strings.HasPrefix(line, "SCAN") && !strings.Contains(line, "USING INDEX unfinished_runs") {
					t.Errorf("all runs are read:\n%s", plan)
				}
			}
		})
	}
}

// plan tells how the database answers a question.
func plan(t *testing.T, s *Store, text string, args ...any) string {
	t.Helper()
	lines, err := query(t.Context(), s.db, func(row scanner) (detail string, err error) {
		var id, parent, unused int
		return detail, row.Scan(&id, &parent, &unused, &detail)
	}, "EXPLAIN QUERY PLAN "+text, args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
