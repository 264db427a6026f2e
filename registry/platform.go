package registry

import (
	"strconv"
	"strings"
)

// Platform is what an image or a host is made for, in the words of the OCI
// image specification: linux/amd64, linux/arm/v7.
type Platform struct {
	OS, Architecture, Variant string
}

// IsZero tells whether the platform is not known.
func (p Platform) IsZero() bool { return p == Platform{} }

func (p Platform) String() string {
	if p.IsZero() {
		return "unknown"
	}
	return strings.TrimSuffix(p.OS+"/"+p.Architecture+"/"+p.Variant, "/")
}

// Runs tells whether a host of platform p runs an image made for q: the same
// system and architecture, and a variant that is the host's or one below it.
// Emulation, and 32-bit images on 64-bit hosts, do not count: what an engine
// would start there depends on the machine, not on its platform.
func (p Platform) Runs(q Platform) bool {
	if p.OS != q.OS || p.Architecture != q.Architecture {
		return false
	}
	if p.Variant == q.Variant {
		return true
	}
	host, hostKnown := p.level()
	image, imageKnown := q.level()
	return hostKnown && imageKnown && image <= host
}

// level orders the variants of one architecture. A missing variant stands for
// the one that engines assume (containerd's platforms.Normalize): arm is
// arm/v7, arm64 is arm64/v8, amd64 is amd64/v1.
func (p Platform) level() (float64, bool) {
	variant := p.Variant
	if variant == "" {
		variant = map[string]string{"arm": "v7", "arm64": "v8", "amd64": "v1"}[p.Architecture]
	}
	n, err := strconv.ParseFloat(strings.TrimPrefix(variant, "v"), 64)
	return n, err == nil && strings.HasPrefix(variant, "v")
}
