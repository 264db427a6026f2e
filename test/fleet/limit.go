package fleet

import (
	"context"
	"fmt"
	"strings"
)

// Limit makes the host's network slow: at most so many bits a second each way.
// Zero takes the limit away.
func (h *Host) Limit(bitsPerSecond int) error {
	// The host's packets are queued on its own end of the link, those to it on
	// the bridge's.
	for _, end := range []string{"-netns " + h.namespace + " qdisc replace dev eth0 root", "qdisc replace dev " + h.link + " root"} {
		if err := command(context.Background(), "tc", strings.Fields(end+" "+queue(bitsPerSecond))...); err != nil {
			return err
		}
	}
	return nil
}

// queue is a queueing discipline of the kernel. A bucket holds what passes at
// once: less than one of the kernel's large packets would be a limit of its
// own, and so would less than what comes between two ticks of a timer.
func queue(bitsPerSecond int) string {
	if bitsPerSecond <= 0 {
		return "noqueue"
	}
	const largest, ticks = 64 << 10, 100
	return fmt.Sprintf("tbf rate %dbit burst %db latency 100ms", bitsPerSecond, max(largest, bitsPerSecond/8/ticks))
}
