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
	"github.com/prewarm/prewarm/runner"
)

// texts reads the log of a run through the client, and checks that no line is
// missing or out of order.
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

// ended puts a finished run before the service, with a log of n lines of some
// bytes each.
func (s *scene) ended(n, bytes int) (id string) {
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
	text := strings.Repeat("a line of a log ", bytes/16)
	for i := range n {
		e := runner.Entry{Seq: int64(i + 1), Time: time.Now(), Stream: runner.Stdout, Text: text}
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
	const lines = 4000
	id := s.ended(lines, 4096) // more than the buffers of a connection take
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
	if got, err := s.texts(id, 0, true); err != nil || len(got) != lines {
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
	id := s.ended(lines, 64)
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
