package fleet

import "testing"

func TestQueue(t *testing.T) {
	t.Parallel()
	for bits, want := range map[int]string{
		0:             "noqueue",
		-1:            "noqueue",
		1_000_000:     "tbf rate 1000000bit burst 65536b latency 100ms",
		1_000_000_000: "tbf rate 1000000000bit burst 1250000b latency 100ms",
	} {
		if got := queue(bits); got != want {
			t.Errorf("%d: %q, want %q", bits, got, want)
		}
	}
}
