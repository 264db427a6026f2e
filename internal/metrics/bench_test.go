package metrics

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

// BenchmarkScrape is one scrape of a fleet of 1,000 hosts with 100 images.
func BenchmarkScrape(b *testing.B) {
	s, n := &still{use: make(map[string]runner.HostUse)}, Names{Registries: []string{"docker.io"}}
	for i := range 100 {
		n.Images = append(n.Images, fmt.Sprint("image", i))
		s.images = append(s.images, warmer.ImageCount{Image: n.Images[i], Wanted: 1000, Warm: 1000, Promoted: noon})
	}
	for i := range 1000 {
		n.Hosts = append(n.Hosts, fmt.Sprint("host", i))
		s.hosts = append(s.hosts, warmer.HostCount{Name: n.Hosts[i], Contact: warmer.Reachable, Disk: warmer.Disk{Free: 1, Total: 2}, High: 2, Images: 1, Budget: 2})
		s.use[n.Hosts[i]] = runner.HostUse{Slots: 8}
	}
	m := New("test")
	m.Use(n)
	m.Watch(s.sources())
	handler := m.Handler()
	for b.Loop() {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/metrics", nil))
		if w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}

// BenchmarkLagged is what each line of a log costs.
func BenchmarkLagged(b *testing.B) {
	m := New("test")
	m.Use(Names{Hosts: []string{"a"}})
	for b.Loop() {
		m.Lagged("a", time.Second)
	}
}
