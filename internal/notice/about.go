package notice

// Info is what there is to know of a kind.
type Info struct {
	Kind Kind
	// Means is what happened, When is when it is told: both lower case, without a
	// full stop.
	Means, When string
	// Standard: a route that names no kinds tells of it. Those are what needs
	// somebody, or ends what needed somebody.
	Standard bool
	// Fields are what an event of it may have beside its id, its kind and its time,
	// as a webhook gets them.
	Fields []string
}

// The fields of events.
var (
	ofRun   = []string{"image", "tag", "digest", "host", "host_labels", "detail", "mend", "cause", "run"}
	ofImage = []string{"image", "tag", "digest", "registry", "host", "host_labels", "detail", "mend", "cause"}
	ofHost  = []string{"host", "host_labels", "detail", "mend", "cause"}
)

// About are all kinds, in the order of the documents.
var About = []Info{
	{RunFailed, "a run failed, and its caller does not try again", "with the outcome, unless its caller said that tries are left", true, ofRun},
	{
		RunLost, "a run may still go on where nobody can see it",
		"when its host did not answer until the run's deadline, or for an hour, or another engine answers there", true,
		ofRun,
	},
	{RunOrphaned, "nobody has asked after a run for longer than its keepalive", "once for each silence; the run goes on", true, ofRun},
	{RunSucceeded, "a run succeeded", "with the outcome", false, ofRun},
	{RunRetrying, "a run failed, and its caller has tries left", "with the outcome", false, ofRun},
	{RunSkipped, "a run ended with an exit code that means skip", "with the outcome", false, ofRun},
	{RunCanceled, "a run was canceled", "with the outcome, unless another submit took the run's place", false, ofRun},
	{RunStarted, "a run began", "when its container was made", false, ofRun},
	{ImagePromoted, "a digest went live", "with the promotion, or with going back", false, []string{"image", "tag", "digest", "before", "detail"}},
	{WarmFailed, "a host can't get a digest that it should have", "after three failures in a row, or at once where waiting mends nothing", true, ofImage},
	{GoneUpstream, "the registry has a current digest no more", "when a host that is to have it can't pull it", true, ofImage},
	{HostDown, "an engine does not answer", "after a minute, unless runs are kept from the host", true, ofHost},
	{HostUp, "an engine answers again", "after `host_down` only", true, ofHost},
	{
		DriftRepaired, "somebody removes images that Prewarm keeps warm",
		"at most once an hour for each host", false,
		[]string{"image", "digest", "host", "host_labels", "detail", "mend", "cause"},
	},
	{DiskPressure, "a disk is nearly full", "when pruning could not bring it below its high mark", true, ofHost},
	{PrunePass, "a pass of prune ended", "where it removed something, or could not", false, []string{"host", "host_labels", "detail"}},
	{
		QuotaLow, "a registry will soon refuse",
		"once in a window of its quota: under a tenth of it is left, or ten requests that are at most half of it", true,
		[]string{"registry", "detail", "mend", "cause"},
	},
	{ConfigRefused, "a changed configuration was refused", "once for each change", true, []string{"detail", "mend"}},
}

// Kinds are all kinds, in the order of About.
var Kinds = pick(func(Info) bool { return true })

// Standard are the kinds of a route that names none.
var Standard = pick(func(i Info) bool { return i.Standard })

func pick(wanted func(Info) bool) []Kind {
	var kinds []Kind
	for _, i := range About {
		if wanted(i) {
			kinds = append(kinds, i.Kind)
		}
	}
	return kinds
}
