package prune

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"
)

var (
	daysFlag = flag.Int("prune.days", 21, "how many days TestAgainstDockerPrune simulates")
	seedFlag = flag.Uint64("prune.seed", 1, "the seed of its workload")
)

// The same weeks on the same disk, pruned by Decide and by what people use
// instead; -v prints what came of it. Disks are in tenths of what the current
// digests of all jobs take at most.
//
// All pull what is pushed when it is pushed, by the tag or by the digest, and
// what a run lacks when it runs; all prune at 03:17, and again when a pull does
// not fit. Nobody repairs what was removed, and no run makes do with the digest
// before when a pull was refused: it is the pruning alone that is compared, so
// that the whole of Prewarm, which does both, does better than this says.
//
// Decide removes nothing that is current or needed within a day, whatever the
// disk, and on one twice the size of the current digests nobody has more runs
// warm. On one hardly larger than they are least recently used has: it gives up
// current digests that run seldom, where Decide refuses a pull.
func TestAgainstDockerPrune(t *testing.T) {
	t.Parallel()
	w := newWorkload(*seedFlag, *daysFlag)
	var table strings.Builder
	columns := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, tenths := range []int64{12, 15, 20, 30} {
		budget := w.currents() * tenths / 10
		fmt.Fprintf(columns, "disk %.1f = %d GB\truns warm\trollbacks warm\tremoved\tfreed\tcurrent ones\tneeded in a day\tpulls refused\tpulled late\t\n",
			float64(tenths)/10, budget/gigabyte)
		tell := func(by strategy) result {
			r := w.simulate(by, budget)
			fmt.Fprintf(columns, "%s\t%.1f%% of %d\t%.0f%% of %d\t%d\t%d GB\t%d\t%d\t%d\t%.1f GB\t\n", by.name,
				100*float64(r.hits)/float64(r.runs), r.runs, 100*float64(r.instantly)/float64(max(1, r.rollbacks)), r.rollbacks,
				r.removed, r.freed/gigabyte, r.wanted, r.soon, r.refused, float64(r.cold)/float64(gigabyte))
			return r
		}
		most := 0
		for _, by := range []strategy{prewarm(day, LeastRecently), prewarm(hour, LeastRecently), prewarm(day, KeepUnmanaged)} {
			r := tell(by)
			most = max(most, r.hits)
			if r.wanted > 0 || r.soon > 0 {
				t.Errorf("%s removed %d current ones, and %d that were needed within a day", by.name, r.wanted, r.soon)
			}
		}
		for _, by := range rivals() {
			if r := tell(by); r.hits > most && tenths >= 20 {
				t.Errorf("%s had %d of %d runs warm, prewarm %d", by.name, r.hits, r.runs, most)
			}
		}
		fmt.Fprintln(columns)
	}
	if err := columns.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Logf("seed %d, %d days, the first 7 not counted\n%s", *seedFlag, *daysFlag, &table)
}
