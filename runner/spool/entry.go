package spool

import "time"

// Entry is one line of a run's log, as it is spooled and served: a JSON object
// on a line of its own.
type Entry struct {
	Seq int64 `json:"seq"` // 1, 2, 3 … within the log
	// Time is by the server's clock and strictly increases within a log, by a
	// microsecond at least: a reader that sorts keeps the order.
	Time time.Time `json:"time"`
	// EngineTime is the engine's own; zero on a line of the server's.
	EngineTime time.Time `json:"engine_time,omitzero"`
	Stream     string    `json:"stream"`
	// Text has no line feed. Bytes that are not UTF-8 are U+FFFD.
	Text string `json:"text"`
	// Open tells that no line feed followed the text.
	Open bool `json:"open,omitempty"`
}
