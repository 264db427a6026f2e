package notify

import (
	"path"
	"slices"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
)

// Route is what is told, and to whom.
type Route struct {
	Name    string
	Channel Channel
	// On are the kinds that are told; empty: notice.Standard.
	On []notice.Kind
	// Only what fits all of these is told; each may be empty. An event that has
	// nothing of what one of them asks for does not fit.
	Images     []string          // patterns of image names, as path.Match has them
	Hosts      map[string]string // labels
	Namespaces []string
	Meta       map[string]string // patterns of values
	// Group is how long events of one cause are gathered before they are told.
	Group time.Duration
	// Repeat is after how long a trouble that goes on is told again; zero: never.
	Repeat time.Duration
	// Title and Text are templates; empty: the standard ones.
	Title, Text string
}

// kinds are those that the route tells.
func (r Route) kinds() []notice.Kind {
	if len(r.On) == 0 {
		return notice.Standard
	}
	return r.On
}

// Matches tells whether the route tells of an event.
func (r Route) Matches(e notice.Event) bool {
	return slices.Contains(r.kinds(), e.Kind) && r.fitsImage(e) && r.fitsHost(e) && r.fitsRun(e)
}

func (r Route) fitsImage(e notice.Event) bool {
	return len(r.Images) == 0 || slices.ContainsFunc(r.Images, func(pattern string) bool { return e.Image != "" && fits(pattern, e.Image) })
}

func (r Route) fitsHost(e notice.Event) bool {
	for label, value := range r.Hosts {
		if has, ok := e.HostLabels[label]; !ok || has != value {
			return false
		}
	}
	return true
}

func (r Route) fitsRun(e notice.Event) bool {
	if len(r.Namespaces) == 0 && len(r.Meta) == 0 {
		return true
	}
	if e.Run == nil || len(r.Namespaces) > 0 && !slices.Contains(r.Namespaces, e.Run.Namespace) {
		return false
	}
	for key, pattern := range r.Meta {
		if value, ok := e.Run.Meta[key]; !ok || !fits(pattern, value) {
			return false
		}
	}
	return true
}

// fits tells whether a pattern matches; one that is broken matches nothing.
func fits(pattern, value string) bool {
	ok, err := path.Match(pattern, value)
	return ok && err == nil
}
