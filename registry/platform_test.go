package registry

import (
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func parsePlatform(t *testing.T, s string) Platform {
	t.Helper()
	return platformOf(*must(v1.ParsePlatform(s))(t))
}

func TestPlatformRuns(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		host, image string
		want        bool
	}{
		{"linux/amd64", "linux/amd64", true},
		{"linux/amd64", "linux/arm64", false},
		{"linux/amd64", "windows/amd64", false},
		{"linux/amd64", "linux/386", false},
		{"linux/amd64", "linux/amd64/v1", true},
		{"linux/amd64", "linux/amd64/v3", false}, // it may have the instructions, and nothing says so
		{"linux/amd64/v3", "linux/amd64/v2", true},
		{"linux/amd64/v3", "linux/amd64", true},
		{"linux/arm64", "linux/arm64/v8", true},
		{"linux/arm64/v8", "linux/arm64", true},
		{"linux/arm64", "linux/arm64/v9", false},
		{"linux/arm64/v9", "linux/arm64/v8.2", true},
		{"linux/arm64", "linux/arm/v7", false},
		{"linux/arm/v7", "linux/arm/v6", true},
		{"linux/arm/v7", "linux/arm/v7", true},
		{"linux/arm/v6", "linux/arm/v7", false},
		{"linux/arm", "linux/arm/v7", true},
		{"linux/arm/v6", "linux/arm", false},
		{"linux/mips64le/hardfloat", "linux/mips64le/hardfloat", true},
		{"linux/mips64le/hardfloat", "linux/mips64le/softfloat", false},
		{"linux/s390x", "linux/s390x", true},
	} {
		if got := parsePlatform(t, tc.host).Runs(parsePlatform(t, tc.image)); got != tc.want {
			t.Errorf("%s runs %s = %t, want %t", tc.host, tc.image, got, tc.want)
		}
	}
}

func TestPlatformString(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]Platform{
		"unknown":      {},
		"linux/amd64":  {OS: "linux", Architecture: "amd64"},
		"linux/arm/v7": {OS: "linux", Architecture: "arm", Variant: "v7"},
	} {
		if got := p.String(); got != want {
			t.Errorf("%#v.String() = %q, want %q", p, got, want)
		}
	}
}
