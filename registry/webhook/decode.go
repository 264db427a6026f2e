package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/url"
	"reflect"
	"strings"

	"github.com/prewarm/prewarm/internal/problem"
)

// mostEvents bounds what one delivery may name.
const mostEvents = 1000

// decoder reads the body of one kind: the images that it says were pushed, and
// none where it is valid and tells of something else. Its error names the field.
type decoder func(Delivery) ([]claim, error)

// Decode reads which images a delivery says were pushed: none where it is valid
// and tells of something else (a pull, a ping, a failed pipeline, a signature).
// Fields are for Generic; nil: the standard body. The error is a *problem.Error
// that names the field; no events come with it.
func Decode(kind Kind, fields *Fields, d Delivery) ([]Event, error) {
	s, ok := senders[kind]
	if !ok {
		return nil, fmt.Errorf("decode a delivery: there is no kind %q", kind)
	}
	decode := s.decode
	if kind == Generic && fields != nil {
		decode = fields.decode
	}
	claims, err := decode(d)
	var events []Event
	if err == nil {
		events, err = eventsOf(claims)
	}
	if err != nil {
		return nil, problem.Wrap(problem.WebhookBody, err, fmt.Sprintf("read a delivery of kind %s", kind),
			"see in docs/webhooks.md what this kind sends, and whether the hook has the right one")
	}
	return events, nil
}

func eventsOf(claims []claim) ([]Event, error) {
	if len(claims) > mostEvents {
		return nil, fmt.Errorf("it names %d images, and %d are allowed", len(claims), mostEvents)
	}
	var events []Event
	for _, c := range claims {
		e, err := c.event()
		switch {
		case err != nil && !c.lax:
			return nil, err
		case err == nil && e != (Event{}):
			events = append(events, e)
		}
	}
	tellApart(events)
	return events, nil
}

// tellApart makes the IDs of the events of one delivery differ: whoever knows an
// ID already takes the event for a repeated one.
func tellApart(events []Event) {
	seen := make(map[string]int)
	for i, e := range events {
		if e.ID == "" {
			continue
		}
		if n := seen[e.ID]; n > 0 {
			events[i].ID = fmt.Sprintf("%s/%d", e.ID, n)
		}
		seen[e.ID]++
	}
}

// read reads JSON. The error says what is wrong in words of JSON.
func read(body []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	err := decoder.Decode(into)
	if err == nil {
		if _, err = decoder.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		return errors.New("the body is no JSON: something follows its end")
	}
	if wrong := new(json.UnmarshalTypeError); errors.As(err, &wrong) {
		return fmt.Errorf("%s: want %s, got %s", pathOf(wrong.Field), wordOf(wrong.Type), article(wrong.Value))
	}
	return fmt.Errorf("the body is no JSON: %w", err)
}

// pathOf is what JSON calls a field of ours, which may be named after the one in
// the JSON but for its first letter.
func pathOf(field string) string {
	if field == "" {
		return "the body"
	}
	parts := strings.Split(field, ".")
	for i, part := range parts {
		parts[i] = strings.ToLower(part[:1]) + part[1:]
	}
	return strings.Join(parts, ".")
}

// wordOf is what JSON calls a type of ours.
func wordOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "an array"
	}
	return "an object"
}

func article(noun string) string {
	noun, _, _ = strings.Cut(noun, " ") // a number comes with its value
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

// unwrap is the JSON of a body that may be in a form: what a webhook of GitHub
// and of Gitea sends where nobody chose JSON.
func unwrap(d Delivery) []byte {
	kind, _, err := mime.ParseMediaType(d.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return d.Body
	}
	form, err := url.ParseQuery(string(d.Body))
	if err != nil || !form.Has("payload") {
		return d.Body
	}
	return []byte(form.Get("payload"))
}

// cloudEvent is a body in the envelope of https://cloudevents.io, whose fields
// are in the headers or around the body.
type cloudEvent struct {
	ID   string `json:"id"`
	Type string
	Data json.RawMessage
}

// readCloudEvent gives no Type where a body has no such envelope.
func readCloudEvent(d Delivery) (cloudEvent, error) {
	if t := d.Header.Get("Ce-Type"); t != "" {
		return cloudEvent{ID: d.Header.Get("Ce-Id"), Type: t, Data: d.Body}, nil
	}
	var e struct {
		SpecVersion string `json:"specversion"`
		cloudEvent
	}
	if err := read(d.Body, &e); err != nil {
		return cloudEvent{}, err
	}
	if e.SpecVersion == "" {
		return cloudEvent{Data: d.Body}, nil
	}
	return e.cloudEvent, nil
}

// header is the first of the headers that a delivery has.
func header(d Delivery, names ...string) string {
	for _, name := range names {
		if value := d.Header.Get(name); value != "" {
			return value
		}
	}
	return ""
}
