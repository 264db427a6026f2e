package forward

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/runner/spool"
)

// line is one that is ready to be forwarded.
type line struct {
	body   []byte // JSON with its line feed
	at     time.Time
	stream runner.Stream
	run    string // empty: a notice of ours
}

// object is the JSON of a line.
type object struct {
	Time   time.Time         `json:"time"`
	Seq    int64             `json:"seq,omitempty"`
	Stream string            `json:"stream"`
	Text   string            `json:"text"`
	Run    string            `json:"run,omitempty"`
	Image  string            `json:"image,omitempty"`
	Digest string            `json:"digest,omitempty"`
	Host   string            `json:"host,omitempty"`
	Key    string            `json:"key,omitempty"`
	Meta   map[string]string `json:"meta,omitempty"`
	// Dropped is of notices only.
	Dropped int `json:"dropped,omitempty"`
}

func encode(r runner.Run, e spool.Entry) line {
	return object{
		Time: e.Time, Seq: e.Seq, Stream: e.Stream, Text: e.Text,
		Run: r.ID, Image: r.Image, Digest: string(r.Pin.Digest()), Host: r.Host, Key: r.Terms.Key, Meta: r.Terms.Meta,
	}.line()
}

// notice is the line about those that were dropped.
func notice(dropped int) line {
	return object{
		Time: time.Now(), Stream: string(runner.Ours), Dropped: dropped,
		Text: fmt.Sprintf("%d lines were not forwarded: the target was slow or gone, or they are too long for it; the logs of the runs have them", dropped),
	}.line()
}

// rest is about what a line is longer than its text, in bytes.
const rest = 400

func (o object) line() line {
	var b bytes.Buffer
	b.Grow(len(o.Text) + rest)
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(o) // of strings, numbers and a time, into memory
	return line{body: b.Bytes(), at: o.Time, stream: runner.Stream(o.Stream), run: o.Run}
}
