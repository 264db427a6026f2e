package prewarmtest

import (
	"net"
	"strconv"
	"testing"
)

// An address is given once, though nobody listens there yet, and is none that
// the system gives to whoever asks for any.
func TestFreeAddressesAreApart(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for range 200 {
		address, err := FreeAddress()
		if err != nil {
			t.Fatal(err)
		}
		if seen[address] {
			t.Fatalf("%s was given twice", address)
		}
		seen[address] = true
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := strconv.Atoi(port); err != nil || n < firstPort || n >= firstPort+portCount {
			t.Fatalf("%s has another port", address)
		}
	}
}
