package store

import (
	"testing"
	"time"
)

// Everybody waits for the one who empties the log, so that one waits for no
// reader outside.
func TestEmptyingTheLogWaitsForNobody(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	expect := func(want bool) {
		t.Helper()
		began := time.Now()
		if empty, err := emptyLog(t.Context(), s.db); err != nil || empty != want {
			t.Errorf("empty %v, want %v, %v", empty, want, err)
		}
		if took := time.Since(began); took > busyTimeout*time.Millisecond/2 {
			t.Errorf("it took %v", took)
		}
	}
	expect(true)
	stop := ReadFromOutside(t, dir)
	if _, err := s.db.ExecContext(t.Context(), `DELETE FROM instance`); err != nil {
		t.Fatal(err)
	}
	expect(false)
	stop()
	expect(true)
	var timeout int
	if err := s.db.QueryRowContext(t.Context(), `PRAGMA busy_timeout`).Scan(&timeout); err != nil || timeout != busyTimeout {
		t.Errorf("the timeout of others is %d now, %v", timeout, err)
	}
}
