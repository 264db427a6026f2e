package notify

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
)

// standardTitle is what a message says in one line where no template says
// otherwise.
func standardTitle(d Data) string {
	title := subject(d) + " " + d.What
	switch notice.Kind(d.Kind) {
	case notice.ImagePromoted:
		title += " at " + shortDigest(d.Digest)
	case notice.WarmFailed:
		title += " on " + places(d)
	}
	if d.Test {
		return "Test: " + title
	}
	return title
}

// subject is what the message is about, in words of its reader.
func subject(d Data) string {
	switch kind := notice.Kind(d.Kind); {
	case d.Run.ID != "":
		process := cmp.Or(d.Meta["process"], "task "+d.Run.Task)
		if d.Meta["customer"] != "" {
			return d.Meta["customer"] + ": " + process
		}
		return process
	case d.runs > 0:
		return fmt.Sprintf("%s%d runs", each, d.runs)
	case kind == notice.ConfigRefused:
		return "a changed configuration"
	case kind == notice.QuotaLow:
		return "registry " + d.Registry
	case len(d.Images) > 1:
		return fmt.Sprintf("%d images", len(d.Images))
	case d.Image != "":
		return "image " + d.Image
	case len(d.Hosts) > 1:
		return each + places(d)
	}
	return "host " + d.Host
}

// each begins what is said of many hosts.
const each = "each of "

// places are the hosts of the trouble.
func places(d Data) string {
	switch len(d.Hosts) {
	case 0:
		return "its hosts"
	case 1:
		return d.Hosts[0]
	case notice.MaxHosts:
		return fmt.Sprintf("%d hosts or more", notice.MaxHosts)
	}
	return fmt.Sprintf("%d hosts", len(d.Hosts))
}

// shown is how many hosts are named in one line.
const shown = 10

// standardText is what a message says where no template says otherwise: a line
// for each thing that a reader wants to know.
func standardText(d Data) string {
	var t lines
	if d.Test {
		t.add("Note", "this is a test, and nothing of it has happened")
	}
	t.add("Concerns", join(d.Meta["customer"], owner(d.Meta)))
	t.add("Process", process(d))
	t.add("Tasks", tasks(d))
	t.add("What", what(d))
	t.add("Why", d.Why)
	t.add("Since", since(d))
	t.add("Next", d.Next)
	t.add("Log", d.Link)
	t.add("More", d.Meta["link"])
	return strings.Join(t, "\n")
}

// lines are labeled; an empty one is left out. Each is one line, whatever is in
// it: what a run says of itself must not look like what Prewarm says of it.
type lines []string

func (l *lines) add(label, text string) {
	if text = oneLine(text); text != "" {
		*l = append(*l, label+": "+text)
	}
}

func join(texts ...string) string {
	var all []string
	for _, t := range texts {
		if t != "" {
			all = append(all, t)
		}
	}
	return strings.Join(all, ", ")
}

func owner(meta map[string]string) string {
	if meta["owner"] == "" {
		return ""
	}
	return "owner " + meta["owner"]
}

func process(d Data) string {
	if d.Run.ID == "" {
		return ""
	}
	task := "task " + d.Run.Task
	if d.Run.Task == "" || d.Meta["process"] == "" {
		return cmp.Or(d.Meta["process"], task)
	}
	return d.Meta["process"] + " (" + task + ")"
}

// tasks names those of a crowd of runs.
func tasks(d Data) string {
	text := strings.Join(d.tasks, ", ")
	if more := d.runs - len(d.tasks); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// what says what happened, where and when.
func what(d Data) string {
	text := "it " + d.What
	if d.Run.ID == "" {
		text = subject(d) + " " + d.What
	}
	if d.Digest != "" && len(d.Images) < 2 && d.runs == 0 {
		text += " (" + shortDigest(d.Digest) + ")"
	}
	if d.Host != "" && !strings.Contains(text, "host "+d.Host) && (d.runs > 0 || !strings.HasPrefix(text, each)) {
		text += " on host " + d.Host
	}
	if d.Run.Try > 0 {
		text += fmt.Sprintf(", try %d", d.Run.Try)
		if d.Run.Tries > 0 {
			text += fmt.Sprintf(" of %d", d.Run.Tries)
		}
	}
	if d.Run.Took > 0 {
		text += " after " + duration(d.Run.Took)
	}
	return text + ", " + stamp(d.Time)
}

// since tells how often it happened, where that was more than once.
func since(d Data) string {
	if d.Count < 2 || d.Run.ID != "" || d.runs > 0 {
		return ""
	}
	text := fmt.Sprintf("%s, %d times", stamp(d.Since), d.Count)
	switch n := len(d.Hosts); {
	case n > shown:
		text += fmt.Sprintf(" on %s, such as %s", places(d), strings.Join(d.Hosts[:shown], ", "))
	case n > 0:
		text += " on " + strings.Join(d.Hosts, ", ")
	}
	return text
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// shortDigest is as much of a digest as people compare.
func shortDigest(digest string) string {
	_, hex, ok := strings.Cut(digest, ":")
	if !ok {
		hex = digest
	}
	return hex[:min(12, len(hex))]
}

// duration writes a time as people say it.
func duration(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
