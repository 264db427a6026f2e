package notify

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
)

var update = flag.Bool("update", false, "write the documents anew")

// TestKindsPage holds the part of docs/events.md about notices against the kinds.
func TestKindsPage(t *testing.T) {
	t.Parallel()
	const file, begin, end = "../../docs/events.md", "<!-- begin notices: written by make generate -->\n", "\n<!-- end notices -->"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("the page has no place for the kinds")
	}
	now := before + begin + kindsTable() + end + after
	if *update {
		if err := os.WriteFile(file, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if now != string(page) {
		t.Errorf("%s is not what the kinds are: make generate writes it anew", file)
	}
}

func kindsTable() string {
	var b strings.Builder
	b.WriteString("\n| kind | what happened | when it is told | standard | fields |\n|---|---|---|---|---|\n")
	for _, i := range notice.About {
		standard := ""
		if i.Standard {
			standard = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | `%s` |\n", i.Kind, i.Means, i.When, standard, strings.Join(i.Fields, "`, `"))
	}
	return b.String()
}

// What is written down of a kind's fields are fields that there are, and all
// that its sample has.
func TestKindsHaveTheirFields(t *testing.T) {
	t.Parallel()
	for _, i := range notice.About {
		said := append([]string{"id", "kind", "at"}, i.Fields...)
		for _, field := range fieldsOf(t, sampleOf("sample", i.Kind, time.Now()).Events[0]) {
			if !slices.Contains(said, field) {
				t.Errorf("%s: its sample has %s", i.Kind, field)
			}
		}
		full := notice.Event{
			Image: "i", Tag: "t", Digest: "d", Before: "b", Host: "h", HostLabels: map[string]string{"a": "b"},
			Registry: "r", Detail: "d", Mend: "m", Cause: "c", Run: &notice.Run{},
		}
		for _, field := range i.Fields {
			if !slices.Contains(fieldsOf(t, full), field) {
				t.Errorf("%s: there is no field %s", i.Kind, field)
			}
		}
	}
}

// fieldsOf are the names of what a webhook gets of an event.
func fieldsOf(t *testing.T, e notice.Event) []string {
	t.Helper()
	b, err := json.Marshal(wireOf(notice.Message{Content: notice.Content{Events: []notice.Event{e}}}).Events[0])
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(b, &fields); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range fields {
		names = append(names, name)
	}
	return names
}
