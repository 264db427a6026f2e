package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// finding is a vulnerability in a module of ours, of which code of ours calls
// something.
type finding struct {
	id, module, version string
	// fixed is the version that mends it; empty while there is none.
	fixed string
	// symbol is what is vulnerable, caller the first function on the way to it
	// that is not the module's own.
	symbol, caller string
}

// message is one of the JSON values that govulncheck prints.
type message struct {
	Config *struct {
		Protocol string `json:"protocol_version"`
		Level    string `json:"scan_level"`
	} `json:"config"`
	Finding *struct {
		OSV   string  `json:"osv"`
		Fixed string  `json:"fixed_version"`
		Trace []frame `json:"trace"`
	} `json:"finding"`
}

// frame is a step on the way to what is vulnerable, which comes first.
type frame struct {
	Module   string `json:"module"`
	Version  string `json:"version"`
	Package  string `json:"package"`
	Function string `json:"function"`
	Receiver string `json:"receiver"`
}

func (f frame) String() string {
	if f.Receiver != "" {
		return f.Package + ".(" + f.Receiver + ")." + f.Function
	}
	return f.Package + "." + f.Function
}

// parse reads what govulncheck prints. Of the three levels of a finding
// (module, package, symbol) only the last says that it concerns us.
func parse(r io.Reader) ([]finding, error) {
	var found []finding
	scanned := false
	for d := json.NewDecoder(r); ; {
		var m message
		err := d.Decode(&m)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read what govulncheck printed: %w", err)
		}
		switch {
		case m.Config != nil:
			if m.Config.Protocol != "v1.0.0" || m.Config.Level != "symbol" {
				return nil, fmt.Errorf("read what govulncheck printed: protocol %s at level %s; this program knows v1.0.0 at level symbol", m.Config.Protocol, m.Config.Level)
			}
			scanned = true
		case m.Finding != nil && len(m.Finding.Trace) > 0 && m.Finding.Trace[0].Function != "":
			at := m.Finding.Trace[0]
			found = append(found, finding{
				id: m.Finding.OSV, module: at.Module, version: at.Version, fixed: m.Finding.Fixed,
				symbol: at.String(), caller: caller(m.Finding.Trace),
			})
		}
	}
	if !scanned {
		return nil, errors.New("read what govulncheck printed: it does not say what it did")
	}
	return found, nil
}

func caller(trace []frame) string {
	for _, f := range trace {
		if f.Module != trace[0].Module {
			return f.String()
		}
	}
	return ""
}
