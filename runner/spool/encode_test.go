package spool

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// byJSON is the encoding that appendEntry is to be the same as.
func byJSON(e Entry) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(e)
	return b.Bytes(), err
}

// sameAsJSON holds both directions against encoding/json.
func sameAsJSON(t *testing.T, e Entry) {
	t.Helper()
	want, wantErr := byJSON(e)
	got, err := appendEntry(nil, e)
	if (err != nil) != (wantErr != nil) || string(got) != string(want) {
		t.Fatalf("%+v:\n got %s %v\nwant %s %v", e, got, err, want, wantErr)
	}
	if err == nil {
		decodedAsJSON(t, bytes.TrimSuffix(got, []byte("\n")))
	}
}

func decodedAsJSON(t *testing.T, line []byte) {
	t.Helper()
	var want Entry
	wantErr := json.Unmarshal(line, &want)
	if own, ok := decodeOwn(line); ok && (wantErr != nil || !cmp.Equal(own, want)) {
		t.Fatalf("decodeOwn of %q: %+v, want %+v %v", line, own, want, wantErr)
	}
	if got, err := decode(line); (err != nil) != (wantErr != nil) || err == nil && !cmp.Equal(got, want) {
		t.Fatalf("decode of %q: %+v %v, want %+v %v", line, got, err, want, wantErr)
	}
}

func TestEncoding(t *testing.T) {
	t.Parallel()
	east := time.FixedZone("", 5*3600+1800)
	for _, e := range []Entry{
		{},
		{Seq: 1, Time: noon, EngineTime: noon.Add(-time.Hour), Stream: "stdout", Text: "hello"},
		{Seq: math.MaxInt64, Time: noon.In(east), EngineTime: noon.Truncate(time.Second), Stream: "stderr", Open: true},
		{Seq: 2, Time: noon, Stream: "a\"b\xff", Text: "\x00\x01\b\f\n\r\t\x1b[0m\x1f \x7f\"\\/<>&'"},
		{Seq: 3, Time: noon, Stream: server, Text: "Ünïcode 🙂 \u2028\u2029\u202a \uFFFD \ufeff"},
		{Seq: 4, Time: noon, Text: "\xff\xfe half of one: \xf0\x9f\x98"},
		{Seq: 5, Time: noon, Text: strings.Repeat("long \t", 50_000)},
		{Seq: 6, Time: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)},
		{Seq: 7, Time: noon, EngineTime: time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)},
		{Seq: 8, Time: noon.In(time.FixedZone("", 24*3600))},
	} {
		sameAsJSON(t, e)
	}
}

func TestOwnDecodingKnowsOwnLines(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "plain", "\"quoted\" \\ \b\f\n\r\t\x00\x1b", "Ünïcode 🙂 \u2028", "\xff"} {
		e := entry(1, text)
		e.Seq = 12
		line, err := appendEntry(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := decodeOwn(bytes.TrimSpace(line)); !ok || got.Text != valid(text) {
			t.Errorf("%q: %+v %t", line, got, ok)
		}
	}
}

func TestDecoding(t *testing.T) {
	t.Parallel()
	const head = `{"seq":1,"time":"2026-11-22T12:00:00Z","stream":"stdout","text":"`
	for _, line := range []string{
		"", "{}", "null", "[]", strings.Repeat("\x00", 100),
		head, head + `"`, head + `"}`, head + `"}}`, head + `x\`, head + `x\"`, head + `\u00"}`, head + `\u00zz"}`, head + `\ud83d\ude42"}`, head + `\ud83d"}`, head + `\/"}`,
		head + "a\tb\"}", head + "\xff\"}", head + `","open":true}`, head + `","open":false}`, head + `","more":1}`,
		`{"seq":01,"time":"2026-11-22T12:00:00Z","stream":"","text":""}`,
		`{"seq":-1,"time":"2026-11-22T12:00:00Z","stream":"","text":""}`,
		`{"seq":99999999999999999999,"time":"2026-11-22T12:00:00Z","stream":"","text":""}`,
		`{"seq":1,"time":"2026-11-22 12:00:00Z","stream":"","text":""}`,
		`{"seq":1,"time":"2026-11-22T12:00:00,5Z","stream":"","text":""}`,
		`{"text":"another order","seq":1,"stream":"x","time":"2026-11-22T12:00:00Z"}`,
	} {
		decodedAsJSON(t, []byte(line))
	}
}

func FuzzEncode(f *testing.F) {
	f.Add(int64(1), noon.UnixNano(), int64(0), "stdout", "hello \"you\"\n", true)
	f.Add(int64(-1), int64(0), noon.UnixNano(), "\xff", "\u2028 🙂\x00\\", false)
	f.Fuzz(func(t *testing.T, seq, at, engine int64, stream, text string, open bool) {
		e := Entry{Seq: seq, Time: time.Unix(0, at).UTC(), Stream: stream, Text: text, Open: open}
		if engine != 0 {
			e.EngineTime = time.Unix(0, engine).UTC()
		}
		sameAsJSON(t, e)
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"seq":1,"time":"2026-11-22T12:00:00Z","engine_time":"2026-11-22T12:00:00.5+05:30","stream":"stdout","text":"a\u0000\"","open":true}`))
	f.Add([]byte(`{"seq":1,"time":"2026-11-22T12:00:00Z","stream":"stdout","text":"\ud83d\ude42"}`))
	f.Fuzz(func(t *testing.T, line []byte) { decodedAsJSON(t, line) })
}
