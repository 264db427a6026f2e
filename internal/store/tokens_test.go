package store_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/access"
)

func TestTokensAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	at := time.UnixMicro(1_700_000_000_000_000).UTC()
	plain, full, err := access.NewToken("ci", access.Grant{
		Scopes: []access.Scope{access.Run, access.Warm}, Namespace: "etl", Images: []string{"etl-*"}, Meta: map[string]string{"a": "b"},
		Policy: &access.Policy{Privileged: true, Networks: []string{"none"}},
	}, at)
	if err != nil {
		t.Fatal(err)
	}
	full.By, full.Expires = "root", at.Add(time.Hour)
	_, little, err := access.NewToken("little", access.Grant{Scopes: []access.Scope{access.Read}}, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []access.Token{full, little} {
		if err := s.InsertToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.InsertToken(t.Context(), full); err == nil {
		t.Error("a token was inserted twice")
	}
	if err := s.RevokeToken(t.Context(), little.ID, at.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := s.UsedTokens(t.Context(), map[string]time.Time{full.ID: at}); err != nil {
		t.Fatal(err)
	}
	little.Revoked, full.Used = at.Add(time.Minute), at
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	got, err := s.Tokens(t.Context())
	if diff := cmp.Diff([]access.Token{full, little}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	held, err := os.ReadFile(filepath.Join(dir, "prewarm.db"))
	if err != nil || !bytes.Contains(held, []byte(full.ID)) || bytes.Contains(held, []byte(plain)) {
		t.Errorf("the store has the token itself, or nothing of it: %v", err)
	}
}

func TestCallsAreKeptAndTrimmed(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	at := time.UnixMicro(1_700_000_000_000_000).UTC()
	var want []access.Entry
	for n := range 6 {
		e := access.Entry{
			ID: fmt.Sprint("id-", n), At: at.Add(time.Duration(n) * time.Hour), Caller: []string{"ci", ""}[n%2], Namespace: "etl", Operation: "submit-run",
			Path: "/v1/runs", Subject: "jobs", Remote: "127.0.0.1:1",
		}
		if err := s.BeginCall(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if n < 5 { // the last was cut off
			e.Status, e.Run = 201, fmt.Sprint("run-", n)
			if err := s.EndCalls(t.Context(), []access.Entry{e}); err != nil {
				t.Fatal(err)
			}
		}
		want = append(want, e)
	}
	expect := func(f access.EntryFilter, want ...access.Entry) {
		t.Helper()
		got, err := s.Calls(t.Context(), f)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%+v: %v (-want +got):\n%s", f, err, diff)
		}
	}
	expect(access.EntryFilter{Limit: 10}, want...)
	expect(access.EntryFilter{Limit: 2}, want[4:]...)
	expect(access.EntryFilter{Limit: 2, After: "id-1"}, want[2:4]...)
	expect(access.EntryFilter{Limit: 2, Caller: "ci"}, want[2], want[4])
	if err := s.TrimCalls(t.Context(), at.Add(time.Hour), 100); err != nil {
		t.Fatal(err)
	}
	expect(access.EntryFilter{Limit: 10}, want[1:]...)
	if err := s.TrimCalls(t.Context(), at, 2); err != nil {
		t.Fatal(err)
	}
	expect(access.EntryFilter{Limit: 10}, want[2:]...) // two of each caller
	flood := access.Entry{ID: "id-9", At: at, Caller: "ci"}
	if err := s.BeginCall(t.Context(), flood); err != nil {
		t.Fatal(err)
	}
	if err := s.TrimCalls(t.Context(), at, 1); err != nil {
		t.Fatal(err)
	}
	flood.At = flood.At.UTC()
	expect(access.EntryFilter{Limit: 10}, want[5], flood)
}

// What the audit log adds to a call that changes something.
func BenchmarkCallWrittenDown(b *testing.B) {
	s, _ := openBench(b)
	for n := 0; b.Loop(); n++ {
		e := access.Entry{ID: fmt.Sprintf("%012d", n), At: time.Now(), Caller: "ci", Operation: "submit-run", Path: "/v1/runs", Remote: "127.0.0.1:1"}
		if err := s.BeginCall(b.Context(), e); err != nil {
			b.Fatal(err)
		}
	}
}
