package hints

import "strings"

// ticket is a delivery whose images are being looked at. The Receiver guards it.
type ticket struct {
	id, hook string
	events   []string // the sender's names for what it told
	led      []led    // what came of it, by image
}

type led struct{ image, text string }

// The beginnings of what a delivery led to.
const (
	ledFound  = "new digest "
	ledLooked = "looked: "
	ledFailed = "failed: "
)

// looked tells whether what is kept of a delivery says that all of its images
// were looked at.
func looked(text string) bool {
	return text != "" && !strings.HasPrefix(text, ledFailed) && !strings.Contains(text, ": "+ledFailed)
}

// tell notes what a delivery led to for one of its images. The caller holds mu.
func (r *Receiver) tell(t *ticket, image, text string) {
	known := false
	for i := range t.led {
		if l := &t.led[i]; l.image == image {
			known = true
			if !strings.HasPrefix(l.text, ledFound) { // which later looks don't unsay
				l.text = text
			}
		}
	}
	if !known {
		t.led = append(t.led, led{image, text})
	}
	r.outcomes[t.id] = t.text()
	if strings.HasPrefix(text, ledFailed) {
		r.memory.forget(t.hook, t.events)
	}
	wake(r.told)
}

func (t *ticket) text() string {
	if len(t.led) == 1 {
		return t.led[0].text
	}
	all := make([]string, len(t.led))
	for i, l := range t.led {
		all[i] = l.image + ": " + l.text
	}
	return strings.Join(all, "; ")
}
