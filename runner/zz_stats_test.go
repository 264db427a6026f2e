package runner_test

import (
	"fmt"
	"os"
)

func (o *ordeal) stats() {
	if os.Getenv("STATS") == "" {
		return
	}
	c := map[string]int{}
	for _, r := range o.all() {
		c[string(r.State)]++
		if r.Log.Complete {
			c["complete"]++
		}
		if r.SameAs != "" {
			c["same"]++
		}
	}
	fmt.Println(o.lives, len(o.acts), c, o.broken)
}
