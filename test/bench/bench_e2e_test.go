//go:build e2e

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
)

// The benchmarks start this program anew to measure a Runner by itself.
func TestMain(m *testing.M) {
	words := os.Getenv(fakeVariable)
	if words == "" {
		os.Exit(m.Run())
	}
	if err := beFake(context.Background(), words, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// One pair, one round: the figures mean nothing, but each question gets its
// answer on real engines.
func TestEveryBenchmarkAnswers(t *testing.T) {
	var out, log bytes.Buffer
	args := []string{"-n", "1", "-rounds", "1", "-layers", "1", "-layer-bytes", "1000000", "-repositories", "3", "-tags", "2", "-every", "1s"}
	args = append(args, "-lines", "1000", "-firehose", "20000", "-talkers", "2", "-listen", "1s", "-under-way", "2", "-active", "20")
	args = append(args, "-hosts", "2", "-images", "3", "-settle", "0s", "-idle", "1s", "-starts", "1", "-ended", "20")
	// fanout builds a registry for minutes.
	args = append(args, "run", "first-line", "warm", "watch", "lines", "lag", "firehose", "memory", "submit", "recovery", "footprint")
	if err := run(t.Context(), args, &out, &log); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	for _, want := range []string{
		"cores", "Engine", // the machine
		"### `prewarm run` of a warm one-line image against `docker run --rm`",
		"\n| bridge | 1 | ", "\n| none | 1 | ",
		"\n| bridge | all of it | 1 | ", "\n| none | without the engine's create and start | 1 | ",
		"### First log line of a program that prints and lives on",
		"### A cold image of 1 × 0.954 MiB on 3 hosts",
		"### A server of 2 hosts and 3 images", "\n| start → ready | new state; 1 starts | ", "\n| memory (RSS) | at rest, for 1s | ",
		"\n| check → current | 1 | ", "\n| push → current, watched every second | 1 | ",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it lacks %q:\n%s", want, out.String())
		}
	}
}
