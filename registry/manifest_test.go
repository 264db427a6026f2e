package registry

import "testing"

func TestManifestForPrefersTheHighestVariant(t *testing.T) {
	t.Parallel()
	var m Manifest
	for _, p := range []string{"linux/arm/v5", "linux/arm/v7", "linux/arm/v6", "linux/amd64", "linux/amd64/v3", "linux/arm64", "linux/arm64/v8"} {
		m.Children = append(m.Children, Child{Platform: parsePlatform(t, p)})
	}
	for host, want := range map[string]string{
		"linux/arm/v5":   "linux/arm/v5",
		"linux/arm/v6":   "linux/arm/v6",
		"linux/arm/v7":   "linux/arm/v7",
		"linux/arm":      "linux/arm/v7",
		"linux/amd64":    "linux/amd64",
		"linux/amd64/v4": "linux/amd64/v3",
		"linux/arm64":    "linux/arm64", // of two equals the first
		"linux/s390x":    "unknown",
	} {
		c, ok := m.For(parsePlatform(t, host))
		if got := c.Platform.String(); got != want || ok != (want != "unknown") {
			t.Errorf("For(%s) = %s, %t, want %s", host, got, ok, want)
		}
	}
}

func TestChildBytes(t *testing.T) {
	t.Parallel()
	c := Child{Layers: []Layer{{Bytes: 3}, {Bytes: 4}}}
	if got := c.Bytes(); got != 7 {
		t.Errorf("Bytes = %d, want 7", got)
	}
}
