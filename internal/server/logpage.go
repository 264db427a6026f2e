package server

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/runner"
)

// The bounds of a page: what a browser shows without trouble.
const (
	maxPageLines = 100_000
	maxPageBytes = 10 << 20
)

// pageTime and lineTime are how pages write times, in UTC.
const (
	pageTime = "2006-01-02 15:04:05"
	lineTime = pageTime + ".000"
)

// logPage writes the log of a run for people.
type logPage struct {
	run  runner.Run
	copy func(ctx context.Context, id string, after int64, follow bool, w func(chunk []byte) error) error
	left int64 // the number of the last line that does not fit the page; 0: all do
}

// measure finds out where the last lines begin that fit.
func (p *logPage) measure(ctx context.Context) error {
	// The run whose success answered this one has the log, and other numbers.
	if p.run.SameAs == "" {
		p.left = max(p.run.Log.Lines-maxPageLines, 0)
	}
	type line struct {
		seq  int64 // there are gaps, where lines were cut out
		size int
	}
	var behind []line // left
	var text []byte
	total := 0
	return p.lines(ctx, func(l api.LogLine) error {
		text = appendLine(text[:0], l)
		behind, total = append(behind, line{l.Seq, len(text)}), total+len(text)
		for len(behind) > maxPageLines || total > maxPageBytes {
			p.left, total = behind[0].seq, total-behind[0].size
			behind = behind[1:]
		}
		return nil
	})
}

// lines passes the lines behind left to fn.
func (p *logPage) lines(ctx context.Context, fn func(api.LogLine) error) error {
	return p.copy(ctx, p.run.ID, p.left, false, func(chunk []byte) error {
		for b := range bytes.Lines(chunk) {
			var l api.LogLine
			if err := json.Unmarshal(b, &l); err != nil {
				return fmt.Errorf("read a line of the log: %w", err)
			}
			if err := fn(l); err != nil {
				return err
			}
		}
		return nil
	})
}

// write writes the page, some lines at a time.
func (p *logPage) write(ctx context.Context, w func([]byte) error) error {
	text := []byte(p.head())
	if p.left > 0 {
		text = fmt.Appendf(text, "(Lines 1 to %d are left out; prewarm logs %s prints all.)\n", p.left, p.run.ID)
	}
	err := p.lines(ctx, func(l api.LogLine) error {
		text = appendLine(text, l)
		if len(text) < pieceSize {
			return nil
		}
		err := w(text)
		text = text[:0]
		return err
	})
	if err != nil {
		return err
	}
	return w(append(text, p.foot()...))
}

// appendLine writes a line: when, in which stream, what.
func appendLine(text []byte, l api.LogLine) []byte {
	text = l.Time.UTC().AppendFormat(text, lineTime)
	switch l.Stream {
	case "stdout":
		text = append(text, "   "...)
	case "stderr":
		text = append(text, " E "...)
	default: // it is the server's
		text = append(text, " * "...)
	}
	return append(append(text, l.Text...), '\n')
}

// head says what is shown.
func (p *logPage) head() string {
	run := p.run
	said := []string{"Run " + run.ID, "image " + run.Image, cmp.Or(run.Host, "no host yet")}
	if run.Host != "" {
		said[2] = "host " + run.Host
	}
	switch t := run.Terms; {
	case t.Tries > 0:
		said = append(said, fmt.Sprintf("try %d of %d", max(t.Try, 1), t.Tries))
	case t.Try > 0:
		said = append(said, fmt.Sprintf("try %d", t.Try))
	}
	text := strings.Join(append(said, p.state()), " | ") + "\n"
	if run.SameAs != "" {
		text += "Nothing was executed for it: run " + run.SameAs + " had done its work, and this is the log of that one.\n"
	}
	return text + "Times are UTC. E: the program wrote it to stderr; *: Prewarm did.\n\n"
}

// state is that of the run, in words.
func (p *logPage) state() string {
	state := strings.ReplaceAll(string(p.run.State), "_", " ")
	if p.run.Exited && p.run.State.Ended() {
		state += fmt.Sprintf(" with exit code %d", p.run.ExitCode)
	}
	return state
}

// foot says how the run stands, and whether this is all.
func (p *logPage) foot() string {
	run := p.run
	if !run.State.Ended() {
		return fmt.Sprintf("\nThe run is %s. This page does not grow: load it again for what was written since.\n", p.state())
	}
	text := fmt.Sprintf("\nThe run %s, on %s.", p.outcome(), run.Ended.UTC().Format(pageTime))
	if run.Detail != "" {
		text += " " + strings.TrimSuffix(run.Detail, ".") + "."
	}
	switch {
	case run.Log.Complete:
		text += " Its log is complete."
	case run.Log.Gap != "":
		text += " Its log may lack lines: " + run.Log.Gap + "."
	case run.SameAs == "" && run.Started.IsZero():
		text += " Nothing was executed, so there is no log."
	}
	return text + "\n"
}

// outcome is how the run ended, behind "The run".
func (p *logPage) outcome() string {
	switch p.run.State {
	case runner.Succeeded, runner.Failed, runner.TimedOut:
		return p.state()
	}
	return "was " + p.state()
}
