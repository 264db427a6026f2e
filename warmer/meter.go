package warmer

import "time"

// meter tells how fast a pull goes, from what it has transferred so far.
type meter struct {
	at    time.Time
	bytes int64
	rate  float64
}

// meterWindow is what a rate is taken over, at least: shorter ones jump.
const meterWindow = 2 * time.Second

// read takes a look at a pull and gives its present rate, in bytes a second; 0
// until there is one.
func (m *meter) read(now time.Time, bytes int64) float64 {
	switch since := now.Sub(m.at); {
	case m.at.IsZero() || bytes < m.bytes:
		m.at, m.bytes = now, bytes
	case since >= meterWindow:
		fresh := float64(bytes-m.bytes) / since.Seconds()
		if m.rate == 0 {
			m.rate = fresh
		}
		m.rate = (m.rate + fresh) / 2
		m.at, m.bytes = now, bytes
	}
	return m.rate
}
