package forward

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/prewarm/prewarm/internal/problem"
)

// Kind is what a target is.
type Kind string

// The kinds of targets.
const (
	File   Kind = "file"
	Stdout Kind = "stdout"
	Syslog Kind = "syslog"
)

// Target is where lines go.
type Target struct {
	Kind Kind
	// Path of a File. It is appended to, and made anew when it was moved away or
	// removed; to cut it in place is fine, too.
	Path string
	// Out is what Stdout writes to; nil: the program's own.
	Out io.Writer
	// Network of Syslog: unixgram, udp or tcp, with octet counting (RFC 6587).
	// Empty: unixgram.
	Network string
	// Address of Syslog: a path or host:port. Empty: /dev/log, for unixgram only.
	Address string
	// Facility of Syslog, by its name; empty: user.
	Facility string
}

// facilities are those that are not the system's own.
var facilities = map[string]int{
	"user": 1, "daemon": 3, "local0": 16, "local1": 17, "local2": 18, "local3": 19,
	"local4": 20, "local5": 21, "local6": 22, "local7": 23,
}

// String names the target for a reader.
func (t Target) String() string {
	switch t.Kind {
	case File:
		return "file " + t.Path
	case Stdout:
		return "standard output"
	case Syslog:
		t = t.withDefaults()
		return "syslog at " + t.Network + " " + t.Address
	}
	return string(t.Kind)
}

func (t Target) withDefaults() Target {
	if t.Network == "" {
		t.Network = "unixgram"
	}
	if t.Address == "" && t.Network == "unixgram" {
		t.Address = "/dev/log"
	}
	if t.Facility == "" {
		t.Facility = "user"
	}
	return t
}

// sink is the outside of a target.
type sink interface {
	// write delivers lines and tells how many it is done with, even if it fails
	// then. One that can never be delivered ends it with errTooLong; what is
	// under way ends with ctx.
	write(ctx context.Context, lines []line) (n int, err error)
	close() error
}

// open gives the sink of a target. It opens nothing outside yet.
func (t Target) open(p pace) (sink, error) {
	switch t.Kind {
	case File:
		if t.Path == "" {
			return nil, invalid(t, "no path", "give the path of the file")
		}
		return &file{path: t.Path, look: p.look}, nil
	case Stdout:
		if t.Out == nil {
			t.Out = os.Stdout
		}
		return &stream{w: t.Out}, nil
	case Syslog:
		return t.withDefaults().openSyslog()
	}
	return nil, invalid(t, fmt.Sprintf("there is no kind %q", t.Kind), "use file, stdout or syslog")
}

func (t Target) openSyslog() (sink, error) {
	if !slices.Contains([]string{"unixgram", "udp", "tcp"}, t.Network) {
		return nil, invalid(t, fmt.Sprintf("there is no network %q", t.Network), "use unixgram, udp or tcp")
	}
	if t.Address == "" {
		return nil, invalid(t, "no address", "give host:port, as in 127.0.0.1:514")
	}
	facility, ok := facilities[t.Facility]
	if !ok {
		return nil, invalid(t, fmt.Sprintf("there is no facility %q", t.Facility),
			"use one of "+strings.Join(slices.Sorted(maps.Keys(facilities)), ", "))
	}
	return newSyslog(t.Network, t.Address, facility), nil
}

func invalid(t Target, why, mend string) error {
	return problem.New(problem.InvalidConfig, fmt.Sprintf("forward lines to %s: %s", t, why), mend)
}
