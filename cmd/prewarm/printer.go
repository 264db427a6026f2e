package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/prewarm/prewarm/internal/api"
)

// The streams of a line that are not stdout.
const (
	streamStderr = "stderr"
	streamServer = "prewarm" // what the server says of the log
)

// outputError is a line that could not be printed: the run is well, and its
// reader is not.
type outputError struct{ err error }

func (e *outputError) Error() string { return e.err.Error() }
func (e *outputError) Unwrap() error { return e.err }

func written(err error) error {
	if err == nil {
		return nil
	}
	return &outputError{err}
}

// outputWriter tells failures of w from those of what is written to it.
type outputWriter struct{ w io.Writer }

func (o outputWriter) Write(b []byte) (int, error) {
	n, err := o.w.Write(b)
	return n, written(err)
}

// printer writes each line to where the container wrote it, as it was. What is
// ours to say stands before the first line or behind the last one; that lines
// were cut, where they would be.
type printer struct {
	stdout, stderr io.Writer
	json           bool
	result         bool // print the run's result as the last line
	airflow        bool // the last line of a success is Airflow's to take

	before []string // to be said before the first line
	open   bool     // the last line on stdout has no line feed
}

func (p *printer) line(l api.LogLine) error {
	if p.before != nil {
		p.say(p.before...)
		p.before = nil
	}
	w := p.stdout
	switch l.Stream {
	case streamServer:
		p.say(l.Text)
		return nil
	case streamStderr:
		w = p.stderr
	default:
		p.open = l.Open
	}
	text := l.Text
	if !l.Open {
		text += "\n"
	}
	_, err := io.WriteString(w, text)
	return written(err)
}

// end prints what comes behind the last line.
func (p *printer) end(run api.Run) error {
	if p.json {
		return written(printJSONLine(p.stdout, map[string]any{"run": run}))
	}
	if err := p.printResult(run); err != nil {
		return err
	}
	if p.airflow && run.State == "succeeded" {
		return nil
	}
	p.say(p.before...)
	if why := gap(run); why != "" {
		p.say("the log may lack lines: " + why)
	}
	return nil
}

// printResult prints the result on a line of its own, on one line.
func (p *printer) printResult(run api.Run) error {
	if !p.result || run.Result == nil {
		return nil
	}
	var line bytes.Buffer
	if p.open {
		line.WriteByte('\n')
	}
	if err := json.Compact(&line, run.Result); err != nil {
		return fmt.Errorf("the result of run %s is no JSON: %w", run.ID, err)
	}
	line.WriteByte('\n')
	_, err := p.stdout.Write(line.Bytes())
	return written(err)
}

func (p *printer) say(texts ...string) {
	for _, text := range texts {
		fmt.Fprintln(p.stderr, "prewarm:", text)
	}
}

// gap says why the log of an ended run may lack lines; empty: it does not.
func gap(run api.Run) string {
	switch {
	case run.Log.Removed:
		return "it was removed, as old logs are"
	case run.Log.Gap != "":
		return run.Log.Gap
	case run.StartedAt != nil && !run.Log.Complete:
		return "it could not be compared with the engine's"
	default:
		return ""
	}
}
