package app

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/enroll"
	"github.com/prewarm/prewarm/internal/metrics"
)

// rereadCertificates is how old what is told of the files of certificates may
// be: a fleet has a thousand of them, and who scrapes does so every few seconds.
const rereadCertificates = 5 * time.Minute

// certificates remembers when those of a configuration end.
type certificates struct {
	mu   sync.Mutex
	from *config.Config // that the files were of
	read time.Time
	ends []metrics.Certificate
}

// of tells of the certificates of the configuration in force.
func (c *certificates) of(force *atomic.Pointer[config.Config]) func() []metrics.Certificate {
	return func() []metrics.Certificate {
		c.mu.Lock()
		defer c.mu.Unlock()
		if now := force.Load(); c.from != now || time.Since(c.read) >= rereadCertificates {
			c.from, c.read, c.ends = now, time.Now(), certificatesOf(now)
		}
		return c.ends
	}
}

// certificatesOf reads the files. Of one that can't be read nothing is told here:
// whoever needs it says why.
func certificatesOf(c *config.Config) []metrics.Certificate {
	var all []metrics.Certificate
	add := func(of, name, file string) {
		if ends := endOf(file); !ends.IsZero() {
			all = append(all, metrics.Certificate{Of: of, Name: name, Ends: ends})
		}
	}
	if c.Server.TLS != nil {
		add("server", "", c.Server.TLS.Cert)
	}
	for _, h := range c.Hosts {
		if h.TLS != nil {
			add("host", h.Name, h.TLS.Cert)
		}
	}
	for _, r := range c.Registries {
		add("registry", r.Name, r.CertFile)
	}
	return all
}

// endOf is when the first certificate of a PEM file ends, which is the one that
// is shown; zero: nobody knows.
func endOf(file string) time.Time {
	if file == "" {
		return time.Time{}
	}
	all, err := enroll.ReadCertificates(file)
	if err != nil {
		return time.Time{}
	}
	return all[0].NotAfter
}
