package config

import (
	"strconv"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/schedule"
)

// Promote says when what is warm goes live.
type Promote struct {
	When Quorum
	// Straggler is how long a host that fails is waited for: after it the host
	// does not count any more.
	Straggler time.Duration
	Windows   schedule.Windows // when promotions may happen; empty: always
}

// Quorum is how many of the hosts that count must be warm: Percent of them,
// rounded up, and never less than one.
type Quorum struct{ Percent int }

// All is every host that counts; a Quorum of 0 percent is any one of them.
var All = Quorum{Percent: 100}

// String is what the configuration writes: all, any or 80%.
func (q Quorum) String() string {
	switch q.Percent {
	case 0:
		return "any"
	case 100:
		return "all"
	}
	return strconv.Itoa(q.Percent) + "%"
}

// defaultStraggler: a pull that is merely slow is over by then, and a push
// should not wait for longer on a broken disk.
const defaultStraggler = 15 * time.Minute

func (r *reader) promote(field string, doc promoteDoc) Promote {
	return Promote{
		When:      r.quorum(field+".when", doc.When),
		Straggler: r.duration(field+".straggler", doc.Straggler, defaultStraggler, 0),
		Windows:   r.windows(field+".windows", doc.Windows),
	}
}

func (r *reader) quorum(field, text string) Quorum {
	switch {
	case !r.has(field), text == "all":
		return All
	case text == "any":
		return Quorum{}
	}
	number, ok := strings.CutSuffix(text, "%")
	percent, err := strconv.ParseUint(number, 10, 16)
	if !ok || err != nil || percent < 1 || percent > 100 {
		r.add(field, text, "it does not say how many hosts must be warm", "write all, any, or a share from 1% to 100%")
		return All
	}
	return Quorum{Percent: int(percent)}
}

func (p Promote) document() promoteDoc {
	return promoteDoc{When: p.When.String(), Straggler: durationText(p.Straggler), Windows: windowDocs(p.Windows)}
}
