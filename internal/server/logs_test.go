package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// source is a domain whose one log is what a test sends, line by line.
func source(lines <-chan string, end error) stub {
	return stub{logs: func(ctx context.Context, after int64, _ bool, w func([]byte) error) error {
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case text, ok := <-lines:
				if !ok {
					return end
				}
				after++
				if err := w(lineOf(after, text)); err != nil {
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
	url, _ := serve(t, over(domain))
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
	url, _ := serve(t, over(domain))
	r := follow(t, url)
	least := time.Hour // of a busy machine, which delays most of them
	for range 20 {
		time.Sleep(10 * time.Millisecond)
		begun := time.Now()
		lines <- "x"
		r.line()
		least = min(least, time.Since(begun))
	}
	if least > 4*time.Millisecond {
		t.Errorf("each is late by %s", least)
	}
	close(lines)
}

func TestABrokenLogIsNoEnd(t *testing.T) {
	t.Parallel()
	for _, end := range []error{errors.New("the disk is gone"), problem.New(problem.Stopping, "stopping", "")} {
		lines := make(chan string, 2)
		domain := source(lines, end)
		url, _ := serve(t, over(domain))
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
		url, _ = serve(t, over(domain))
		err := clientOf(t, url).Logs(t.Context(), "1", 0, true, func(api.LogLine) error { return nil })
		if problem.CodeOf(err) != problem.ServerLost {
			t.Errorf("%v: the client sees %v", end, err)
		}
	}
}

func TestAReaderThatLeavesEndsItsReading(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	domain := stub{logs: func(ctx context.Context, _ int64, _ bool, _ func([]byte) error) error {
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}}
	url, _ := serve(t, over(domain))
	r := follow(t, url)
	_ = r.body.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("ended by %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("still reading for nobody")
	}
}
