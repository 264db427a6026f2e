package config

import "testing"

func TestSizes(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]int64{
		"0": 0, "512": 512, "512b": 512, "1k": 1 << 10, "1KB": 1 << 10, "1.5m": 3 << 19, "512 MiB": 512 << 20, "2g": 2 << 30, ".5t": 1 << 39, "1024t": maxSize,
		"": -1, "m": -1, "-1": -1, "+1": -1, "1e3": -1, "0x10": -1, "1p": -1, "1025t": -1, "2 gigs": -1, "1  m": -1, "1m ": -1, "Inf": -1, "NaN": -1,
		"99999999999999999999": -1, "9223372036854775808": -1, "1_000": -1, "1,5m": -1,
	} {
		got, ok := parseSize(written)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q is %d, want %d", written, got, want)
		}
	}
}

func TestSizeText(t *testing.T) {
	t.Parallel()
	for want, size := range map[string]int64{"": 0, "1": 1, "1023": 1023, "1k": 1024, "1025": 1025, "1536k": 3 << 19, "512m": 512 << 20, "2g": 2 << 30, "1024t": maxSize} {
		if got := sizeText(size); got != want {
			t.Errorf("%d is written %q, want %q", size, got, want)
		}
		if again, ok := parseSize(want); want != "" && (!ok || again != size) {
			t.Errorf("%q is read as %d, want %d", want, again, size)
		}
	}
}
