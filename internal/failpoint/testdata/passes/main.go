// Passes two points, three times each, and tells of it.
package main

import (
	"fmt"

	"github.com/prewarm/prewarm/internal/failpoint"
)

func main() {
	for n := 1; n <= 3; n++ {
		failpoint.Here("first")
		fmt.Println("first", n)
		failpoint.Here("second")
		fmt.Println("second", n)
	}
}
