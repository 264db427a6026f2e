package server

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/warmer"
)

func (s *Server) eventRoute() {
	events := op(http.MethodGet, "/v1/events", "get-events", "Read what happened to images and hosts, a JSON object (Event) on each line")
	events.Description = "The server keeps the newest few thousand events since its start. A gap in seq tells that some are " +
		"missing; ask for the images and hosts then. With follow=true the answer goes on until the connection ends."
	events.Responses = map[string]*huma.Response{"200": {
		Description: "The events behind `after`.",
		Content:     map[string]*huma.MediaType{ndjsonType: {Schema: s.schemaOf(reflect.TypeFor[api.Event]())}},
	}}
	handle(s, events, s.readEvents)
}

type eventsInput struct {
	After  int64 `query:"after" minimum:"0" doc:"Number of the last event that the reader has. One from before the server's start gives all."`
	Follow bool  `query:"follow" doc:"Go on with what happens."`
}

func (s *Server) readEvents(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	leave := func() {}
	if in.Follow {
		var err error
		if leave, err = s.place(ctx); err != nil {
			return nil, err
		}
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer leave()
		r, w := humago.Unwrap(hc)
		err := stream(w, ndjsonType, func(o *outlet) error {
			return s.opts.Images.Events(r.Context(), in.After, in.Follow, func(e warmer.Event) error { return o.write(lineOf(eventOf(e))) })
		})
		if err != nil {
			panic(http.ErrAbortHandler) // cut off, so that nobody takes it for the whole
		}
	}}, nil
}

// lineOf is a JSON object on a line, which people read, too.
func lineOf(e api.Event) []byte {
	var line bytes.Buffer
	out := json.NewEncoder(&line)
	out.SetEscapeHTML(false)
	_ = out.Encode(e) // text and numbers can be written always
	return line.Bytes()
}

func eventOf(e warmer.Event) api.Event {
	out := api.Event{
		Seq: e.Seq, At: e.At, Kind: string(e.Kind), Image: e.Track.Image, Tag: e.Track.Tag,
		Host: e.Host, Digest: string(e.Digest), State: e.State, Detail: e.Detail,
	}
	if e.Kind == warmer.PullMoved {
		out.Bytes, out.Rate = e.Progress.Bytes, int64(e.Rate)
		out.LayersDone, out.Layers = e.Progress.LayersDone, e.Progress.Layers
	}
	return out
}
