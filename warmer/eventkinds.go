package warmer

// EventKind is what there is to know of a kind of events.
type EventKind struct {
	Kind Kind
	// Means is what happened: lower case, no full stop.
	Means string
	// Fields are what is set beside the number, the time, the kind and the state,
	// as the API calls it.
	Fields []string
	// States are what the state can be.
	States []string
}

// EventKinds are all kinds, in the order in which a new image brings them about.
var EventKinds = []EventKind{
	{
		RolloutChanged, "a rollout came to be or changed its phase",
		[]string{"image", "tag", "digest"},
		words(Held, Warming, Current, Superseded, Overtaken, Rejected),
	},
	{
		PullMoved, "a pull moved: told at most once a second for each",
		[]string{"host", "digest", "bytes", "rate_bytes_per_second", "layers_done", "layers"},
		words(StatePulling),
	},
	{
		CopyChanged, "a copy became warm, failed, was given up or went away",
		[]string{"host", "digest", "detail"},
		append(words(StateWarm, StateFailed, StateWaiting), copyRemoved, copyPruned),
	},
	{HostChanged, "a host's contact changed", []string{"host", "detail"}, words(Unknown, Reachable, Unreachable, Duplicate)},
	{
		PersonActed, "somebody did something",
		[]string{"image", "tag", "digest", "detail"},
		words(Approved, Holding, Unholding, WentBack, Pausing, Resuming, Draining, Undraining),
	},
	{PrunePassed, "a prune pass over a host ended", []string{"host", "detail"}, words(BySchedule, ByPressure, ByPull, ByPerson)},
	{DiskPressed, "a host's disk passed its high mark", []string{"host", "detail"}, nil},
}

// What a copy can be beside the states of a host.
const (
	copyRemoved = "removed" // by somebody else
	copyPruned  = "pruned"
)

func words[T ~string](all ...T) []string {
	out := make([]string, len(all))
	for i, w := range all {
		out[i] = string(w)
	}
	return out
}
