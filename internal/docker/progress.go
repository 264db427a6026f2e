package docker

import (
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/docker/docker/pkg/jsonmessage"

	"github.com/prewarm/prewarm/warmer"
)

// followPull reads what the engine says about a pull until it ends, and passes
// on the progress of each message that is news, and whether the pull has nothing
// under way then. A stream of status 200 can end in an error; only one that ends
// cleanly and without it has done what the engine could.
func followPull(stream io.Reader, progress func(p warmer.Progress, waits bool)) error {
	m := meter{layers: map[string]*layer{}}
	messages := json.NewDecoder(stream)
	for {
		var msg jsonmessage.JSONMessage
		err := messages.Decode(&msg)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case msg.Error != nil:
			return msg.Error
		}
		if m.note(msg) {
			m.sum.At = time.Now()
			progress(m.sum, m.underWay == 0)
		}
	}
}

// meter adds up the layers of one pull.
type meter struct {
	layers   map[string]*layer
	underWay int // layers that the engine works at
	sum      warmer.Progress
}

type layer struct {
	bytes, total int64
	done         bool
	// What was said of it last. The containerd store says all it knows of each
	// layer ten times a second, also of one that moves no more.
	status  string
	current int64
}

// note takes one message in, and tells whether it is news: a download that stands
// still is said again and again. Only downloads count bytes: the containerd store
// reports an extraction in seconds, under the same field.
func (m *meter) note(msg jsonmessage.JSONMessage) (news bool) {
	step := pullSteps[msg.Status]
	if msg.ID == "" || step == 0 {
		return true
	}
	l := m.layers[msg.ID]
	if l == nil && (len(m.layers) >= maxLayers || len(msg.ID) > maxLayerID) {
		return true
	}
	if l == nil {
		l = &layer{}
		m.layers[msg.ID] = l
		m.sum.Layers++
	}
	var current int64
	if msg.Progress != nil {
		current = msg.Progress.Current
	}
	news = msg.Status != l.status || current != l.current
	m.underWay += working(msg.Status) - working(l.status)
	l.status, l.current = msg.Status, current
	switch step {
	case stepDownload:
		if msg.Progress != nil {
			l.total = msg.Progress.Total
			m.reach(l, msg.Progress.Current)
		}
	case stepDownloaded:
		m.reach(l, l.total)
	case stepDone:
		if !l.done {
			l.done = true
			m.sum.LayersDone++
		}
	}
	return news
}

// working is 1 where a status says that the engine works at a layer.
func working(status string) int {
	if pullWorks[status] {
		return 1
	}
	return 0
}

// reach raises the bytes of a layer. A download that is tried again starts from
// less; what people see does not go back.
func (m *meter) reach(l *layer, bytes int64) {
	if bytes > l.bytes {
		m.sum.Bytes += bytes - l.bytes
		l.bytes = bytes
	}
}

// tally makes one progress of the pulls that follow one another for one image:
// each goes on where the one before stopped.
type tally struct {
	report func(warmer.Progress) // nil: to nobody
	sum    warmer.Progress
}

// next gives what the next pull reports to.
func (t *tally) next() func(warmer.Progress) {
	before := t.sum
	return func(p warmer.Progress) {
		t.tell(warmer.Progress{
			Bytes:      before.Bytes + p.Bytes,
			Layers:     max(before.Layers, p.Layers),
			LayersDone: max(before.LayersDone, p.LayersDone),
			At:         p.At,
		})
	}
}

// finish says that all layers are on the host. The containerd store tells of a
// layer ten times a second, and of one that took less time not at all.
func (t *tally) finish(layers int) {
	layers = max(layers, t.sum.Layers)
	if t.sum.LayersDone < layers {
		t.tell(warmer.Progress{Bytes: t.sum.Bytes, Layers: layers, LayersDone: layers, At: time.Now()})
	}
}

func (t *tally) tell(p warmer.Progress) {
	t.sum = p
	if t.report != nil {
		t.report(p)
	}
}
