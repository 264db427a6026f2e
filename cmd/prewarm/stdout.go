package main

import (
	"io"
	"os"
	"sync/atomic"

	"golang.org/x/term"
)

// standardOutput is stdout, and remembers that it took something not: tables
// tell nobody of an error, and a token that is shown this once must not be lost
// with exit code 0.
type standardOutput struct {
	file   *os.File
	failed atomic.Pointer[error] // a write may still be under way at the program's end
}

func (o *standardOutput) Write(b []byte) (int, error) {
	n, err := o.file.Write(b)
	if err != nil {
		o.failed.CompareAndSwap(nil, &err)
	}
	return n, err
}

// Fd is the descriptor, by which a terminal is known.
func (o *standardOutput) Fd() uintptr { return o.file.Fd() }

// err is the first error of a write.
func (o *standardOutput) err() error {
	if err := o.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// isTerminal tells whether a person may be looking at what is written to w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}
