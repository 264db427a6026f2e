package main

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vbauerster/mpb/v8"

	"github.com/prewarm/prewarm/internal/api"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	tests := []struct {
		copied api.HostCopy
		want   string
	}{
		{api.HostCopy{State: "warm"}, "warm"},
		{api.HostCopy{State: "waiting"}, "waiting"},
		{api.HostCopy{State: "pulling"}, "pulling"},
		{api.HostCopy{State: "pulling", Progress: &api.Progress{TotalBytes: 1000}}, "pulling"}, // no layer is known yet
		{
			api.HostCopy{State: "pulling", Progress: &api.Progress{Bytes: 15_000_000, TotalBytes: 42_000_000, Layers: 4, LayersDone: 1}},
			"15MB of 42MB, 1/4 layers unpacked",
		},
		{
			api.HostCopy{State: "pulling", RateBytes: 4_500_000, RemainingSeconds: 6.2, Progress: &api.Progress{Bytes: 15_000_000, TotalBytes: 42_000_000, Layers: 4, LayersDone: 1}},
			"15MB of 42MB at 4.5MB/s, 6s left, 1/4 layers unpacked",
		},
		{ // all is downloaded, and much to be unpacked
			api.HostCopy{State: "pulling", RateBytes: 4_500_000, Progress: &api.Progress{Bytes: 42_000_000, TotalBytes: 42_000_000, Layers: 4, LayersDone: 1}},
			"42MB of 42MB at 4.5MB/s, 1/4 layers unpacked",
		},
		{api.HostCopy{State: "failed", Reason: "no space"}, "failed: no space"},
	}
	for _, test := range tests {
		if got := describe(test.copied); got != test.want {
			t.Errorf("%+v: %q, want %q", test.copied, got, test.want)
		}
	}
}

func TestFit(t *testing.T) {
	t.Parallel()
	const label = "failed: no space left on device" // 31
	tests := []struct {
		left int
		want string
	}{
		{57, label},
		{56, "failed: no space left on devi…"},
		{30, "failed: no space le…"}, // and the bar gets eight
		{10, "failed:…"},
		{2, ""},
		{0, ""},
	}
	for _, test := range tests {
		if got := fit(label, test.left); got != test.want {
			t.Errorf("%d left: %q, want %q", test.left, got, test.want)
		}
	}
}

// However the hosts end, the last drawing has one line for each, and the bars
// are done: end returns.
func TestBarsEnd(t *testing.T) {
	t.Parallel()
	pulling := &api.Progress{Bytes: 50, TotalBytes: 100, Layers: 2}
	tests := map[string]struct {
		shows [][]api.HostCopy
		want  []string
	}{
		"all warm": {
			[][]api.HostCopy{
				{{Host: "e1", State: "waiting"}, {Host: "etl-2", State: "pulling", Progress: pulling}},
				{{Host: "e1", State: "warm"}, {Host: "etl-2", State: "warm"}},
			},
			[]string{"e1    ▕██████████████████████▏ warm", "etl-2 ▕██████████████████████▏ warm"},
		},
		"one failed in the middle": {
			[][]api.HostCopy{
				{{Host: "e1", State: "pulling", Progress: pulling}, {Host: "e2", State: "pulling", Progress: pulling}},
				{{Host: "e1", State: "failed", Reason: "no space"}, {Host: "e2", State: "warm"}},
			},
			[]string{"e1 ▕███████████░░░░░░░░░░░▏ failed: no space", "e2 ▕██████████████████████▏ warm"},
		},
		"failed, tried again, warm": {
			[][]api.HostCopy{
				{{Host: "e1", State: "failed", Reason: "no space"}},
				{{Host: "e1", State: "pulling", Progress: pulling}},
				{{Host: "e1", State: "warm"}},
			},
			[]string{"e1 ▕██████████████████████▏ warm"},
		},
		"given up while pulling": {
			[][]api.HostCopy{{{Host: "e1", State: "pulling", Progress: pulling}}},
			[]string{"e1 ▕███████████░░░░░░░░░░░▏ 50B of 100B, 0/2 layers unpacked"},
		},
		"nothing was shown": {},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			bars := newBars(&b, mpb.WithAutoRefresh())
			for _, hosts := range test.shows {
				bars.show(hosts)
			}
			bars.end()
			if diff := cmp.Diff(test.want, lastLines(b.String(), len(test.want))); diff != "" {
				t.Errorf("last drawing (-want +got):\n%s", diff)
			}
		})
	}
}

// lastLines gives the last n lines that a terminal shows.
func lastLines(drawn string, n int) []string {
	drawn = regexp.MustCompile(`\x1b\[[0-9]*[A-Z]`).ReplaceAllString(drawn, "")
	all := strings.Split(strings.TrimSuffix(drawn, "\n"), "\n")
	if n == 0 {
		return nil
	}
	return all[max(0, len(all)-n):]
}

// A pipe or a file gets lines, a program nothing; a terminal is tried by
// testdata/warm_terminal.txt.
func TestWatcherWithoutATerminal(t *testing.T) {
	t.Parallel()
	if w, ok := (&cli{}).newWatcher(io.Discard).(*lines); !ok {
		t.Errorf("got %T", w)
	}
	if w, ok := (&cli{output: "json"}).newWatcher(io.Discard).(quiet); !ok {
		t.Errorf("with -o json: got %T", w)
	}
}

// Each change is a line, and nothing else is.
func TestLines(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	l := &lines{w: &b, last: make(map[string]string)}
	l.show([]api.HostCopy{{Host: "e1", State: "waiting"}, {Host: "e2", State: "waiting"}})
	l.show([]api.HostCopy{{Host: "e1", State: "waiting"}, {Host: "e2", State: "failed", Reason: "no space"}})
	l.show([]api.HostCopy{{Host: "e1", State: "warm"}, {Host: "e2", State: "failed", Reason: "no space"}})
	l.end()
	if want := "e1: waiting\ne2: waiting\ne2: failed: no space\ne1: warm\n"; b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}
