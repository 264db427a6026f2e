package prune

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/registry"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

var standings = []Standing{Wanted, Kept, Superseded, NeverCurrent, Orphaned, Unknown}

// pinOf is the only digest of a repository that is named after it.
func pinOf(name string) registry.Pin {
	var sum [32]byte
	copy(sum[:], name)
	pin, err := registry.ParsePin(fmt.Sprintf("registry.test/%s@sha256:%x", strings.ToLower(name), sum))
	if err != nil {
		panic(err)
	}
	return pin
}

// script is one image in a table: "a superseded used=3d layers=base:100,a:20".
// A standing makes a pin; what follows it and is a pin's belongs to it. Without
// any the image is not ours. It is 48 hours old unless said otherwise, was used
// when it came, and has one layer of 10 bytes of its own.
func script(t testing.TB, line string) Image {
	t.Helper()
	words := strings.Fields(line)
	img := Image{ID: words[0], Seen: noon.Add(-2 * day)}
	var used string
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(word, "=")
		last := len(img.Pins) - 1
		switch {
		case slices.Contains(standings, Standing(key)):
			name := img.ID
			if last >= 0 {
				name += strconv.Itoa(last + 2)
			}
			img.Pins = append(img.Pins, Pinned{Pin: pinOf(name), Standing: Standing(key), Image: "jobs"})
		case key == "image":
			img.Pins[last].Image = strings.TrimSuffix(value, "none")
		case key == "rank":
			img.Pins[last].Rank, _ = strconv.Atoi(value)
		case key == "refs":
			img.Pins[last].Refs = strings.Split(value, ",")
		case key == "claim":
			rule, of, _ := strings.Cut(value, ":")
			img.Pins[last].Claims = append(img.Pins[last].Claims, Claim{Rule: Rule(rule), Detail: of})
		case key == "since":
			img.Pins[last].Since = noon.Add(-span0(t, value))
		case key == "min_age":
			img.Pins[last].Rules.MinAge = span0(t, value)
		case key == "unused_for":
			img.Pins[last].Rules.UnusedFor = span0(t, value)
		case key == "keep":
			img.Pins[last].Rules.Keep, _ = strconv.Atoi(value)
		case key == "keep_min":
			img.Pins[last].Rules.KeepMin, _ = strconv.Atoi(value)
		case key == "age":
			img.Seen = noon.Add(-span0(t, value))
		case key == "used":
			used = value
		case key == "names":
			img.Names = strings.Split(value, ",")
			img.Tagged = slices.ContainsFunc(img.Names, func(n string) bool { return !strings.Contains(n, "@") })
		case key == "in":
			img.Containers = strings.Split(value, ",")
		case key == "layers":
			img.Layers = []Layer{}
			for layer := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' }) {
				id, size, _ := strings.Cut(layer, ":")
				bytes, _ := strconv.ParseInt(size, 10, 64)
				img.Layers = append(img.Layers, Layer{id, bytes})
				img.Bytes += bytes
			}
		default:
			t.Fatalf("what is %q?", word)
		}
	}
	if img.Layers == nil {
		img.Layers, img.Bytes = []Layer{{img.ID, 10}}, 10
	}
	img.Used = img.Seen
	if used != "" {
		img.Used = noon.Add(-span0(t, used))
	}
	return img
}

// span0 reads 3d, too.
func span0(t testing.TB, s string) time.Duration {
	t.Helper()
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil {
			t.Fatal(err)
		}
		return time.Duration(n) * day
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// host is an inventory in a table, an image a line.
func host(t testing.TB, lines string) Inventory {
	t.Helper()
	inv := Inventory{Now: noon}
	for line := range strings.Lines(lines) {
		if strings.TrimSpace(line) != "" {
			inv.Images = append(inv.Images, script(t, line))
		}
	}
	return inv
}

func protecting(t testing.TB, texts ...string) []registry.Pattern {
	t.Helper()
	var patterns []registry.Pattern
	for _, text := range texts {
		p, err := registry.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		patterns = append(patterns, p)
	}
	return patterns
}

// told writes a decision as a table does: "a superseded 10, b dangling 0; c
// current". A removal that leaves the others' names is "a superseded -".
func told(d Decision) string {
	var goes, stays []string
	for _, v := range d.Verdicts {
		switch {
		case !v.Goes:
			stays = append(stays, fmt.Sprintf("%s %s", v.Image.ID, v.Rule))
		case len(v.Names) < len(v.Image.Names):
			goes = append(goes, fmt.Sprintf("%s %s -", v.Image.ID, v.Rule))
		default:
			goes = append(goes, fmt.Sprintf("%s %s %d", v.Image.ID, v.Rule, v.Frees))
		}
	}
	return strings.Join(goes, ", ") + "; " + strings.Join(stays, ", ")
}

// table is a test of decisions: of one policy, or of each row's own.
type table []struct {
	name   string
	policy Policy
	host   string
	want   string
}

func (rows table) run(t *testing.T) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := Decide(row.policy, host(t, row.host))
			if got := told(d); got != row.want {
				t.Errorf("%s\ngot  %q\nwant %q", row.host, got, row.want)
			}
			for _, v := range d.Verdicts {
				if v.Why == "" {
					t.Errorf("%s %s has no reason", v.Image.ID, v.Rule)
				}
			}
		})
	}
}
