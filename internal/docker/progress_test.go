package docker

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/warmer"
)

// classicPull is what 20.10 says about an image of three layers, of which it
// has one, shortened.
const classicPull = `{"status":"Pulling from etl/jobs","id":"sha256:aaaa"}
{"status":"Already exists","progressDetail":{},"id":"l1"}
{"status":"Pulling fs layer","progressDetail":{},"id":"l2"}
{"status":"Pulling fs layer","progressDetail":{},"id":"l3"}
{"status":"Waiting","progressDetail":{},"id":"l3"}
{"status":"Downloading","progressDetail":{"current":400,"total":1000},"progress":"[==> ]","id":"l2"}
{"status":"Retrying in 5 seconds","progressDetail":{},"id":"l2"}
{"status":"Downloading","progressDetail":{"current":100,"total":1000},"id":"l2"}
{"status":"Verifying Checksum","progressDetail":{},"id":"l2"}
{"status":"Download complete","progressDetail":{},"id":"l2"}
{"status":"Extracting","progressDetail":{"current":32768,"total":1000},"id":"l2"}
{"status":"Pull complete","progressDetail":{},"id":"l2"}
{"status":"Download complete","progressDetail":{},"id":"l3"}
{"status":"Pull complete","progressDetail":{},"id":"l3"}
{"status":"Digest: sha256:aaaa"}
{"status":"Status: Downloaded newer image for reg.test/etl/jobs@sha256:aaaa"}
`

// containerdPull is what 29 says: an extraction in seconds, and the end twice.
const containerdPull = `{"status":"Pulling from etl/jobs","id":"sha256:aaaa"}
{"status":"Pulling fs layer","id":"l1"}
{"status":"Downloading","progressDetail":{"current":1048576,"total":3000000},"id":"l1"}
{"status":"Download complete","progressDetail":{"hidecounts":true},"id":"l1"}
{"status":"Extracting","progressDetail":{"current":7,"units":"s"},"id":"l1"}
{"status":"Pull complete","progressDetail":{"hidecounts":true},"id":"l1"}
{"status":"Pull complete","progressDetail":{"hidecounts":true},"id":"l1"}
{"status":"Digest: sha256:aaaa"}
`

func TestFollowPullAddsUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, stream string
		messages     int
		want         warmer.Progress
	}{
		{"classic", classicPull, 16, warmer.Progress{Bytes: 1000, LayersDone: 3, Layers: 3}},
		{"containerd", containerdPull, 7, warmer.Progress{Bytes: 3000000, LayersDone: 1, Layers: 1}},
		{"nothing", "", 0, warmer.Progress{}},
	} {
		var last warmer.Progress
		n := 0
		err := followPull(strings.NewReader(c.stream), func(p warmer.Progress, _ bool) {
			if p.Bytes < last.Bytes || p.At.Before(last.At) {
				t.Errorf("%s: progress went back from %+v to %+v", c.name, last, p)
			}
			last = p
			n++
		})
		last.At = c.want.At
		if err != nil || last != c.want || n != c.messages {
			t.Errorf("%s: %+v after %d messages, %v; want %+v after %d", c.name, last, n, err, c.want, c.messages)
		}
	}
}

func TestFollowPullBelievesOnlyACleanEnd(t *testing.T) {
	t.Parallel()
	ignore := func(warmer.Progress, bool) {}
	err := followPull(strings.NewReader(`{"status":"Pulling fs layer","id":"l1"}`+"\n"+`{"errorDetail":{"message":"it broke"},"error":"it broke"}`), ignore)
	if err == nil || err.Error() != "it broke" {
		t.Errorf("an error in the stream: got %v", err)
	}
	if err := followPull(strings.NewReader(`{"status":"Downloading","prog`), ignore); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a torn stream: got %v", err)
	}
	if err := followPull(strings.NewReader(`<html>`), ignore); err == nil {
		t.Error("a stream that is no JSON was believed")
	}
}

// TestTallyGoesOn: a second pull tells less than the first one did, and the
// engine not all of it.
func TestTallyGoesOn(t *testing.T) {
	t.Parallel()
	var got []warmer.Progress
	sum := tally{report: func(p warmer.Progress) { got = append(got, p) }}
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	first := sum.next()
	first(warmer.Progress{Bytes: 5, Layers: 3, LayersDone: 1, At: at})
	second := sum.next()
	second(warmer.Progress{At: at.Add(time.Second)})
	second(warmer.Progress{Bytes: 7, Layers: 3, LayersDone: 2, At: at.Add(2 * time.Second)})
	sum.finish(4)
	sum.finish(4)
	want := []warmer.Progress{
		{Bytes: 5, Layers: 3, LayersDone: 1, At: at},
		{Bytes: 5, Layers: 3, LayersDone: 1, At: at.Add(time.Second)},
		{Bytes: 12, Layers: 3, LayersDone: 2, At: at.Add(2 * time.Second)},
		{Bytes: 12, Layers: 4, LayersDone: 4},
	}
	if len(got) == len(want) {
		want[3].At = got[3].At // now
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	(&tally{}).finish(1) // nobody listens
}
