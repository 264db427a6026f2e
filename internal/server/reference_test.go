package server_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/server"
	"github.com/prewarm/prewarm/warmer"
)

// TestErrorsPage holds docs/errors.md against the codes.
func TestErrorsPage(t *testing.T) {
	t.Parallel()
	written(t, "../../docs/errors.md", "codes", errorTable()+errorSections(t))
}

// TestEventsPage holds the stream's part of docs/events.md against the kinds.
func TestEventsPage(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("\n| `kind` | what happened | `state` | what else is set |\n|---|---|---|---|\n")
	fields := readDocument(t).Components.Schemas["Event"].Properties
	for _, k := range warmer.EventKinds {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Kind, k.Means, coded(k.States), coded(k.Fields))
		for _, field := range k.Fields {
			if _, ok := fields[field]; !ok {
				t.Errorf("%s: an event has no field %s", k.Kind, field)
			}
		}
	}
	written(t, "../../docs/events.md", "stream", b.String())
}

// TestEveryCodeIsExplained holds the table of codes against the codes.
func TestEveryCodeIsExplained(t *testing.T) {
	t.Parallel()
	explained := make([]string, len(problem.Kinds))
	for i, k := range problem.Kinds {
		explained[i] = string(k.Code)
		if k.Means == "" || k.Mend == "" || strings.HasSuffix(k.Means+k.Mend, ".") || k.Again == "" {
			t.Errorf("%s: %+v", k.Code, k)
		}
		if strings.Contains(k.Plain(), "`") || strings.Count(k.Mend, "`")%2 != 0 {
			t.Errorf("%s: odd backquotes in %s", k.Code, k.Mend)
		}
	}
	slices.Sort(explained)
	if diff := cmp.Diff(constants(t, "../problem/codes.go", "Code"), explained); diff != "" {
		t.Errorf("-codes +explained:\n%s", diff)
	}
}

// ends are the outcomes of runs that have a code as their reason, beside refused.
var ends = map[problem.Code]string{
	problem.ExitCode: "failed", problem.Signaled: "failed", problem.OutOfMemory: "failed",
	problem.CancelAsked: "canceled", problem.CallerSilent: "canceled", problem.Replaced: "canceled",
	problem.DeadlinePassed: "timed_out", problem.AlreadySucceeded: "succeeded",
	problem.ContactLost: "lost", problem.EngineReplaced: "lost", problem.Released: "lost",
	problem.EngineRestarted: "interrupted", problem.ContainerLost: "interrupted", problem.StateRestored: "interrupted",
	problem.StartFailed: "refused", problem.ImageLost: "refused",
}

// exits are what prewarm run and prewarm wait exit with after an outcome.
var exits = map[string]string{
	"failed": "the program's own code", "canceled": "the program's own code, 123 where that is 0, 125 where it was never started",
	"timed_out": "124", "succeeded": "0", "lost": "123", "interrupted": "123", "refused": "125",
}

// where says how a code is met.
func where(code problem.Code) string {
	var met []string
	if status, ok := server.StatusOf(code); ok {
		met = append(met, fmt.Sprintf("HTTP status %d (%s)", status, http.StatusText(status)))
	}
	if end, ok := ends[code]; ok {
		met = append(met, fmt.Sprintf("the reason of a run that is `%s`; `prewarm run` exits with %s", end, exits[end]))
	}
	switch code {
	case problem.ResultMissing, problem.ResultInvalid, problem.ResultTooLarge:
		met = append(met, "what became of the result of a run that succeeded; `prewarm run` exits with 1 where the result was to be printed")
	case problem.ServerUnreachable:
		met = append(met, "told by the command line; `prewarm run` exits with 125 where the server was never reached")
	case problem.ServerLost:
		met = append(met, "told by the command line; `prewarm run` exits with 123 after `--reconnect`")
	case problem.InvalidConfig, problem.ListenFailed, problem.StateLocked, problem.StateCorrupt:
		met = append(met, "told by `prewarm serve`, which exits with 1")
	case problem.StateNewer, problem.StateNotEmpty, problem.BackupBroken:
		met = append(met, "told by the command line, which exits with 1")
	case problem.PullStalled, problem.VolumeInUse:
		met = append(met, "told in the server's log, and of a pull in `prewarm status`")
	case problem.Internal:
		met = append(met, "after a submit `prewarm run` exits with 123, since nobody knows how far it came")
	}
	return strings.Join(met, "; ")
}

func errorTable() string {
	var b strings.Builder
	b.WriteString("\n| code | what it means | HTTP |\n|---|---|---|\n")
	for _, k := range problem.Kinds {
		status := ""
		if n, ok := server.StatusOf(k.Code); ok {
			status = fmt.Sprint(n)
		}
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s |\n", k.Code, k.Code, k.Means, status)
	}
	return b.String()
}

func errorSections(t *testing.T) string {
	var b strings.Builder
	for _, k := range problem.Kinds {
		met := where(k.Code)
		if met == "" {
			t.Errorf("%s: nobody says where it is met", k.Code)
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s.\n\n- Met as: %s.\n- Worth trying again: %s.\n- Mend: %s.\n", k.Code, sentence(k.Means), met, k.Again, k.Mend)
	}
	return b.String()
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func coded(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return "`" + strings.Join(all, "`, `") + "`"
}

// written holds the part of a page that is made against what it is now.
func written(t *testing.T, file, part, now string) {
	t.Helper()
	committed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := fmt.Sprintf("<!-- begin %s: written by make generate -->\n", part), fmt.Sprintf("\n<!-- end %s -->", part)
	before, rest, ok := strings.Cut(string(committed), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for %s", file, part)
	}
	page := before + begin + now + end + after
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(committed), page); diff != "" {
		t.Errorf("%s: make generate writes it anew (-committed +now):\n%s", file, diff)
	}
}
