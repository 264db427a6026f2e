package config

import "time"

// Runner is what holds for all runs.
type Runner struct {
	// Grace is how long a container has between its stop signal and the kill.
	Grace time.Duration
	// Queue is how many runs may wait.
	Queue     int
	Unclaimed Unclaimed
	// Keep is how long ended runs are remembered.
	Keep time.Duration
	// MaxResult bounds a result file, in bytes.
	MaxResult int64
	Logs      Logs
	Forward   []Forward
	// SecretKeyFile is absolute, and empty where submits may bring no secret
	// values.
	SecretKeyFile string
	// SecretKey is what that file stands for: 32 bytes.
	SecretKey Secret
	Policy    Policy
}

// Unclaimed is what is done about containers of ours that no run claims.
type Unclaimed string

// The ways.
const (
	UnclaimedStop Unclaimed = "stop" // and removed
	UnclaimedKeep Unclaimed = "keep" // only reported
)

// Logs bound what is kept of the logs of runs.
type Logs struct {
	Cap   int64         // of one run, in bytes
	Keep  time.Duration // after a run's end
	Total int64         // of all ended runs, in bytes; 0: no bound
}

// maxResult bounds the bound of results, in bytes: they are kept in the store
// and sent with each answer that tells of the run.
const maxResult = 16 * mib

// defaultRunner: a container gets as long as docker stop gives it, and a month
// is what people ask about. Ended logs are compressed, so that those of most
// installations take less than the total, and few disks have less.
func defaultRunner() Runner {
	return Runner{
		Grace:     10 * time.Second,
		Queue:     1000,
		Unclaimed: UnclaimedStop,
		Keep:      720 * time.Hour,
		MaxResult: mib,
		Logs:      Logs{Cap: gib, Keep: 720 * time.Hour, Total: 10 * gib},
	}
}

func (r *reader) runner(doc runnerDoc) Runner {
	const field = "runner"
	runner := defaultRunner()
	runner.Grace = r.duration(field+".grace", doc.Grace, runner.Grace, time.Second)
	r.limit(field+".queue", doc.Queue, &runner.Queue, "1000 is usual")
	runner.Unclaimed = r.unclaimed(field+".unclaimed", doc.Unclaimed)
	runner.Keep = r.duration(field+".keep", doc.Keep, runner.Keep, time.Second)
	runner.MaxResult = r.maxResult(field+".max_result", doc.MaxResult)
	runner.Logs = r.logs(field+".logs", doc.Logs, runner.Keep)
	runner.Forward = r.forwards(field+".forward", doc.Forward)
	runner.SecretKeyFile, runner.SecretKey = r.secretKey(field+".secret_key_file", doc.SecretKeyFile)
	runner.Policy = r.policy(field+".policy", doc.Policy)
	return runner
}

func (r *reader) unclaimed(field, text string) Unclaimed {
	switch way := Unclaimed(text); {
	case !r.has(field):
		return UnclaimedStop
	case way == UnclaimedStop, way == UnclaimedKeep:
		return way
	}
	r.add(field, text, "there is no such way", "write stop, or keep for containers that are only reported")
	return ""
}

func (r *reader) maxResult(field, text string) int64 {
	size := r.size(field, text, mib, 1)
	if size > maxResult {
		r.add(field, text, "results are kept in the store, and are no place for so much", "write "+sizeText(maxResult)+" or less, and leave larger ones in a volume or a bucket")
	}
	return size
}

// logs takes how long runs are remembered: a log goes with its run.
func (r *reader) logs(field string, doc logsDoc, remembered time.Duration) Logs {
	logs := Logs{
		Cap:  r.size(field+".cap", doc.Cap, defaultRunner().Logs.Cap, mib),
		Keep: r.duration(field+".keep", doc.Keep, remembered, time.Second),
	}
	if remembered > 0 && logs.Keep > remembered { // 0: it was refused
		r.add(field+".keep", doc.Keep, "the run is forgotten before that, and its log goes with it", "write "+durationText(remembered)+" or less, or more for runner.keep")
	}
	total := field + ".total"
	if doc.Total == "0" {
		return logs
	}
	if !r.has(total) {
		logs.Total = max(defaultRunner().Logs.Total, logs.Cap)
		return logs
	}
	logs.Total = r.size(total, doc.Total, 0, mib)
	if logs.Total >= mib && logs.Total < logs.Cap {
		r.add(total, doc.Total, "a single run's log may have "+sizeText(logs.Cap), "write that much or more, 0 for no bound, or less for cap")
	}
	return logs
}

func (r Runner) document() runnerDoc {
	doc := runnerDoc{
		Grace: durationText(r.Grace), Queue: r.Queue, Unclaimed: string(r.Unclaimed), Keep: durationText(r.Keep), MaxResult: sizeText(r.MaxResult),
		Logs:          logsDoc{Cap: sizeText(r.Logs.Cap), Keep: durationText(r.Logs.Keep), Total: sizeText(r.Logs.Total)},
		SecretKeyFile: r.SecretKeyFile, Policy: r.Policy.document(),
	}
	if r.Logs.Total == 0 {
		doc.Logs.Total = "0"
	}
	for _, f := range r.Forward {
		doc.Forward = append(doc.Forward, forwardDoc{To: string(f.To), Path: f.Path, Address: f.Address})
	}
	return doc
}
