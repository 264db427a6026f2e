package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/server"
	"github.com/prewarm/prewarm/runner"
)

// source is a domain whose one log is what a test sends, line by line.
func source(lines <-chan string, end error) stub {
	return stub{logs: func(ctx context.Context, after int64, _ bool, fn func(runner.Entry) error) error {
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case text, ok := <-lines:
				if !ok {
					return end
				}
				after++
				if err := fn(runner.Entry{Seq: after, Stream: runner.Stdout, Text: text}); err != nil {
					return err
				}
			}
		}
	}}
}

// reader reads a log as it comes.
type reader struct {
	t    testing.TB
	body io.ReadCloser
	*bufio.Reader
}

func follow(t testing.TB, url string) *reader {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/runs/1/logs?follow=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := clientOf(t, url).HTTP
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/x-ndjson" || resp.Header.Get("X-Accel-Buffering") != "no" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	return &reader{t, resp.Body, bufio.NewReader(resp.Body)}
}

func (r *reader) line() api.LogLine {
	r.t.Helper()
	b, err := r.ReadBytes('\n')
	if err != nil {
		r.t.Fatal(err)
	}
	var l api.LogLine
	if err := json.Unmarshal(b, &l); err != nil {
		r.t.Fatal(err)
	}
	return l
}

// Each line is asked for before the next is printed, so one that the server
// holds back until more come would hang the test.
func TestLinesComeAsTheyArePrinted(t *testing.T) {
	t.Parallel()
	lines := make(chan string)
	domain := source(lines, nil)
	url, _ := serve(t, server.Options{Images: domain, Runs: domain})
	r := follow(t, url) // the headers came, with no line there yet
	for i := range 300 {
		text := fmt.Sprintf("<line> %d & \u2028 \"é\"", i)
		lines <- text
		if got := r.line(); got.Text != text || got.Seq != int64(i+1) || got.Stream != "stdout" {
			t.Fatalf("line %d: got %+v", i, got)
		}
	}
	for _, text := range []string{"one", "two", "three"} {
		lines <- text
	}
	for range 3 {
		r.line() // though nothing follows and the log goes on
	}
	close(lines)
	if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
		t.Errorf("the end: %q %v", rest, err)
	}
}

// A lone line goes out at once, not when the next flush is due.
func TestALoneLineIsNotHeldBack(t *testing.T) {
	t.Parallel()
	lines := make(chan string)
	domain := source(lines, nil)
	url, _ := serve(t, server.Options{Images: domain, Runs: domain})
	r := follow(t, url)
	var late []time.Duration
	for range 20 {
		time.Sleep(10 * time.Millisecond)
		begun := time.Now()
		lines <- "x"
		r.line()
		late = append(late, time.Since(begun))
	}
	slices.Sort(late)
	if median := late[len(late)/2]; median > 4*time.Millisecond {
		t.Errorf("late by %s", median)
	}
	close(lines)
}

func TestABrokenLogIsNoEnd(t *testing.T) {
	t.Parallel()
	for _, end := range []error{errors.New("the disk is gone"), problem.New(problem.Stopping, "stopping", "")} {
		lines := make(chan string, 2)
		domain := source(lines, end)
		url, _ := serve(t, server.Options{Images: domain, Runs: domain})
		r := follow(t, url)
		lines <- "one"
		lines <- "two"
		close(lines)
		r.line()
		r.line() // what was there before the break arrives
		if _, err := r.ReadByte(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%v: the reader sees %v", end, err)
		}
		lines = make(chan string)
		close(lines)
		domain = source(lines, end)
		url, _ = serve(t, server.Options{Images: domain, Runs: domain})
		err := clientOf(t, url).Logs(t.Context(), "1", 0, true, func(api.LogLine) error { return nil })
		if problem.CodeOf(err) != problem.ServerLost {
			t.Errorf("%v: the client sees %v", end, err)
		}
	}
}

func TestAReaderThatLeavesEndsItsReading(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	domain := stub{logs: func(ctx context.Context, _ int64, _ bool, _ func(runner.Entry) error) error {
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}}
	url, _ := serve(t, server.Options{Images: domain, Runs: domain})
	r := follow(t, url)
	_ = r.body.Close()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("still reading for nobody")
	}
}

func (s *scene) texts(id string, after int64, follow bool) ([]string, error) {
	var texts []string
	err := s.client.Logs(s.t.Context(), id, after, follow, func(l api.LogLine) error {
		if l.Seq != after+1 || l.Time.IsZero() || l.Stream == "" {
			return fmt.Errorf("after %d came %+v", after, l)
		}
		after = l.Seq
		texts = append(texts, l.Text)
		return nil
	})
	return texts, err
}

func TestALogIsReadFromWhereTheReaderIs(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.push(1)
	run := s.submit("lines", "10", "20ms")
	all, err := s.texts(run.ID, 0, true) // to the end of the run
	if err != nil || len(all) != 10 || all[0] != "line 1" || all[9] != "line 10" {
		t.Fatalf("%q %v", all, err)
	}
	var seen api.Run
	s.request(http.MethodGet, "/v1/runs/"+run.ID, "").into(&seen)
	if !seen.Ended {
		t.Errorf("the log ended while the run is %s", seen.State)
	}
	for _, c := range []struct{ after, want int64 }{{0, 10}, {1, 9}, {9, 1}, {10, 0}, {11, 0}, {1 << 62, 0}} {
		for _, follow := range []bool{false, true} {
			if got, err := s.texts(run.ID, c.after, follow); err != nil || int64(len(got)) != c.want {
				t.Errorf("after %d: %q %v", c.after, got, err)
			}
		}
	}
	quiet := s.submit("exit", "0")
	if got, err := s.texts(quiet.ID, 0, true); err != nil || len(got) != 0 {
		t.Errorf("a run that prints nothing: %q %v", got, err)
	}
	open := s.submit("noeol", "no", "end")
	r := s.request(http.MethodGet, "/v1/runs/"+s.end(open.ID).ID+"/logs", "")
	if !strings.Contains(string(r.body), `"text":"no end","open":true}`) {
		t.Errorf("%s", r.body)
	}
}

func TestWithoutFollowALiveLogIsReadSoFar(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.push(1)
	run := s.submit("sleep", "1h")
	s.await(func() bool {
		got, err := s.texts(run.ID, 0, false)
		return err == nil && slices.Equal(got, []string{"sleeping"})
	})
}

func TestAStopIsNoEndOfALog(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.push(1)
	run := s.submit("sleep", "1h")
	r := make(chan error, 3)
	for range 3 {
		go func() {
			_, err := s.texts(run.ID, 0, true)
			r <- err
		}()
	}
	time.Sleep(100 * time.Millisecond)
	begun := time.Now()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("the stop took %s", took)
	}
	for range 3 {
		if err := <-r; problem.CodeOf(err) != problem.ServerLost {
			t.Errorf("a follower sees %v", err)
		}
	}
}

// ended puts a finished run with a log of n lines before the service.
func (s *scene) ended(n int) (id string) {
	s.t.Helper()
	id = fmt.Sprintf("ended-%d", n)
	run := runner.Run{ID: id, Image: "jobs", State: runner.Succeeded, Exited: true, Submitted: time.Now(), Ended: time.Now()}
	if err := s.store.InsertRun(s.t.Context(), run); err != nil {
		s.t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(s.logDir, id+".ndjson"))
	if err != nil {
		s.t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	out := json.NewEncoder(w)
	for i := range n {
		e := runner.Entry{Seq: int64(i + 1), Time: time.Now(), Stream: runner.Stdout, Text: fmt.Sprintf("2026-11-22 INFO import of batch %d done, 1000 rows <ok>", i)}
		if err := out.Encode(e); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		s.t.Fatal(err)
	}
	return id
}

func TestASlowReaderHoldsUpNobody(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id := s.ended(100_000)
	reading, stuck := make(chan struct{}), make(chan error, 1)
	release := make(chan struct{})
	go func() {
		first := true
		stuck <- s.client.Logs(context.Background(), id, 0, true, func(api.LogLine) error {
			if first {
				first = false
				close(reading)
				<-release
			}
			return nil
		})
	}()
	<-reading
	if got, err := s.texts(id, 0, true); err != nil || len(got) != 100_000 {
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

func BenchmarkLogs(b *testing.B) {
	s := newScene(b)
	const lines = 200_000
	id := s.ended(lines)
	for b.Loop() {
		resp, err := http.Get(s.url + "/v1/runs/" + id + "/logs")
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(n)
	}
	b.ReportMetric(lines*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
	http.DefaultClient.CloseIdleConnections()
}
