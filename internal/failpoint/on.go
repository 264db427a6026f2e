//go:build failpoints

package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// chosen is the point to die at, and left how often it has still to be passed.
var chosen, left = read(os.Getenv("PREWARM_FAILPOINT"))

// read reads "name" or "name:N". What can't be read ends the program: a test
// would wait for a crash that never comes.
func read(text string) (string, *atomic.Int64) {
	var times atomic.Int64
	times.Store(1)
	name, count, given := strings.Cut(text, ":")
	if given {
		n, err := strconv.ParseInt(count, 10, 64)
		if err != nil || n < 1 || name == "" {
			panic(fmt.Sprintf("PREWARM_FAILPOINT=%s: want NAME or NAME:N, and N from 1 on", text))
		}
		times.Store(n)
	}
	return name, &times
}

// Here kills the program if this is the point, and the passing, that was
// chosen.
func Here(name string) {
	if name != chosen || left.Add(-1) != 0 {
		return
	}
	_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL) // to oneself it can't fail
	select {}                                           // nothing of this goroutine happens any more
}
