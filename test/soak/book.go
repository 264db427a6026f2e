package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/prewarm/prewarm/internal/api"
)

// book is where drivers write down what they saw. Its methods may be called from
// any goroutine.
type book struct {
	mu       sync.Mutex
	pieces   []piece
	marks    map[string][]mark // by run: where a reader stopped
	canceled map[string]bool   // runs that a driver canceled
	told     map[string]int    // how often something happened
	worst    map[string]time.Duration
	wrong    []breach
}

// piece is how a piece of work ended for its driver.
type piece struct {
	plan
	epoch int64
	last  api.Run
}

func newBook() *book {
	return &book{marks: map[string][]mark{}, canceled: map[string]bool{}, told: map[string]int{}, worst: map[string]time.Duration{}}
}

func (b *book) over(p piece) { b.change(func() { b.pieces = append(b.pieces, p) }) }

func (b *book) read(run string, m mark) {
	b.change(func() { b.marks[run] = append(b.marks[run], m) })
}

func (b *book) cancel(run string) { b.change(func() { b.canceled[run] = true }) }

func (b *book) count(what string) { b.change(func() { b.told[what]++ }) }

func (b *book) waited(what string, d time.Duration) {
	b.change(func() { b.worst[what] = max(b.worst[what], d) })
}

func (b *book) breach(run api.Run, format string, args ...any) {
	b.change(func() { b.wrong = append(b.wrong, breach{run: run, what: fmt.Sprintf(format, args...)}) })
}

func (b *book) change(do func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	do()
}
