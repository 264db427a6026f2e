package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// texts reads the log of a run through the client, and checks that no line is
// missing or out of order.
func (s *scene) texts(id string, after int64, follow bool) ([]string, error) {
	var texts []string
	err := s.client.Logs(s.t.Context(), id, after, follow, func(l api.LogLine) error {
		if l.Seq != after+1 || l.Time.IsZero() || l.EngineTime == nil || l.Stream == "" {
			return fmt.Errorf("after %d came %+v", after, l)
		}
		after = l.Seq
		texts = append(texts, l.Text)
		return nil
	})
	return texts, err
}

// begin puts a run there that prints nothing yet.
func (s *scene) begin(id string) {
	s.runs.add(runner.Run{ID: id, State: runner.Running, Submitted: time.Now()})
}

func TestALogIsReadFromWhereTheReaderIs(t *testing.T) {
	t.Parallel()
	s := alone(t)
	s.begin("1")
	go func() {
		for n := range 10 {
			s.runs.print("1", fmt.Sprint("line ", n+1))
			time.Sleep(10 * time.Millisecond)
		}
		s.runs.end("1", runner.Succeeded)
	}()
	all, err := s.texts("1", 0, true) // to the end of the run
	if err != nil || len(all) != 10 || all[0] != "line 1" || all[9] != "line 10" {
		t.Fatalf("%q %v", all, err)
	}
	for _, c := range []struct{ after, want int64 }{{0, 10}, {1, 9}, {9, 1}, {10, 0}, {11, 0}, {1 << 62, 0}} {
		for _, follow := range []bool{false, true} {
			if got, err := s.texts("1", c.after, follow); err != nil || int64(len(got)) != c.want {
				t.Errorf("after %d: %q %v", c.after, got, err)
			}
		}
	}
}

func TestWithoutFollowALiveLogIsReadSoFar(t *testing.T) {
	t.Parallel()
	s := alone(t)
	s.begin("1")
	if got, err := s.texts("1", 0, false); err != nil || len(got) != 0 {
		t.Errorf("%q %v", got, err)
	}
	s.runs.print("1", "one")
	if got, err := s.texts("1", 0, false); err != nil || !slices.Equal(got, []string{"one"}) {
		t.Errorf("%q %v", got, err)
	}
}

func TestALogThatIsGone(t *testing.T) {
	t.Parallel()
	s := alone(t)
	s.runs.add(runner.Run{ID: "1", State: runner.Succeeded, Submitted: time.Now(), Log: runner.LogState{Removed: true}})
	// Another one's success answered this run, and its log is that one's.
	s.runs.add(runner.Run{ID: "2", State: runner.Succeeded, Submitted: time.Now(), SameAs: "1"})
	for _, id := range []string{"1", "2"} {
		for _, query := range []string{"", "?follow=1", "?after=7"} {
			if p := s.request(http.MethodGet, "/v1/runs/"+id+"/logs"+query, "").problem(http.StatusGone, problem.LogRemoved); p.Mend == "" {
				t.Errorf("%+v", p)
			}
		}
	}
}

func TestEveryoneReadsAllOfALog(t *testing.T) {
	t.Parallel()
	s := alone(t)
	s.begin("1")
	const readers, lines = 5, 2000
	read := make(chan error, readers)
	for range readers {
		go func() {
			got, err := s.texts("1", 0, true)
			if err == nil && len(got) != lines {
				err = fmt.Errorf("%d lines", len(got))
			}
			read <- err
		}()
	}
	for range lines {
		s.runs.print("1", "x")
	}
	s.runs.end("1", runner.Succeeded)
	for range readers {
		if err := <-read; err != nil {
			t.Error(err)
		}
	}
}

func TestASlowReaderHoldsUpNobody(t *testing.T) {
	t.Parallel()
	s := alone(t)
	s.begin("1")
	const lines = 4000
	s.runs.print("1", slices.Repeat([]string{strings.Repeat("x", 4096)}, lines)...) // more than the buffers of a connection take
	reading, stuck := make(chan struct{}), make(chan error, 1)
	release := make(chan struct{})
	go func() {
		first := true
		stuck <- s.client.Logs(context.Background(), "1", 0, true, func(api.LogLine) error {
			if first {
				first = false
				close(reading)
				<-release
			}
			return nil
		})
	}()
	<-reading
	if got, err := s.texts("1", 0, false); err != nil || len(got) != lines {
		t.Errorf("beside a slow reader: %d lines, %v", len(got), err)
	}
	begun := time.Now()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("a stop beside a slow reader took %s", took)
	}
	close(release)
	if err := <-stuck; problem.CodeOf(err) != problem.ServerLost {
		t.Errorf("the slow reader sees %v", err)
	}
}

// A browser reads events, and says where it was when it comes back.
func TestEventsForBrowsers(t *testing.T) {
	t.Parallel()
	s := alone(t)
	s.begin("1")
	s.runs.print("1", "one", "two\n\r\u2028", "three")
	s.runs.end("1", runner.Succeeded)
	for _, c := range []struct {
		query  string
		header []string
		want   []int64
	}{
		{"", nil, []int64{1, 2, 3}},
		{"?follow=1&after=1", nil, []int64{2, 3}},
		{"?follow=1&after=1", []string{"Last-Event-ID", "2"}, []int64{3}},
		{"?follow=1", []string{"Last-Event-ID", "3"}, nil},
	} {
		r := s.request(http.MethodGet, "/v1/runs/1/logs"+c.query, "", append(c.header, "Accept", "text/event-stream")...)
		var want string
		for _, seq := range c.want {
			want += fmt.Sprintf("id: %d\ndata: %s\n", seq, lineOf(seq, []string{"one", "two\n\r\u2028", "three"}[seq-1]))
		}
		want += "event: end\ndata: {}\n\n"
		if got := string(r.body); got != want || r.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v\n%s\nwant\n%s", c.query, r.header, got, want)
		}
	}
}

// A log that comes in large chunks is read from the disk; one that comes line by
// line is followed.
func BenchmarkLogs(b *testing.B) {
	const lines = 200_000
	var log []byte
	for n := range lines {
		log = append(log, lineOf(int64(n+1), strings.Repeat("a line of a log ", 5))...)
	}
	domain := stub{logs: func(_ context.Context, _ int64, follow bool, w func([]byte) error) error {
		if !follow {
			return w(log)
		}
		for line := range bytes.Lines(log) {
			if err := w(line); err != nil {
				return err
			}
		}
		return nil
	}}
	url, _ := serve(b, over(domain))
	client := clientOf(b, url)
	decode := func(follow bool) error {
		return client.Logs(b.Context(), "1", 0, follow, func(api.LogLine) error { return nil })
	}
	for _, c := range []struct {
		name string
		read func() error
	}{
		{"copied", func() error { _, err := client.CopyLogs(b.Context(), "1", 0, false, io.Discard); return err }},
		{"decoded", func() error { return decode(false) }},
		{"followed", func() error { return decode(true) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(log)))
			for b.Loop() {
				if err := c.read(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(lines*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}
