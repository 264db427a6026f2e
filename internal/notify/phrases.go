package notify

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/problem"
)

// verbs say what happened to what the title names first.
var verbs = map[notice.Kind]string{
	notice.RunStarted:    "has started",
	notice.RunSucceeded:  "succeeded",
	notice.RunFailed:     "failed",
	notice.RunRetrying:   "failed and is tried again",
	notice.RunSkipped:    "was skipped",
	notice.RunCanceled:   "was canceled",
	notice.RunLost:       "may still run where nobody can see it",
	notice.RunOrphaned:   "runs, and nobody asks after it",
	notice.ImagePromoted: "is live",
	notice.WarmFailed:    "can't be made warm",
	notice.GoneUpstream:  "is gone from its registry",
	notice.HostDown:      "does not answer",
	notice.HostUp:        "answers again",
	notice.DriftRepaired: "lost images that belong there, and gets them again",
	notice.DiskPressure:  "has a disk that is nearly full",
	notice.PrunePass:     "was pruned",
	notice.QuotaLow:      "will soon refuse to answer",
	notice.ConfigRefused: "was refused",
}

// nexts say what follows where neither the event nor its run says more.
var nexts = map[notice.Kind]string{
	notice.RunSkipped:    "nobody has to act",
	notice.RunLost:       "Prewarm stops it as soon as its host answers; nobody should start the same work elsewhere before that",
	notice.RunOrphaned:   "it goes on; cancel it if nobody needs it",
	notice.WarmFailed:    "Prewarm tries again by itself; runs get the digest that was current before",
	notice.GoneUpstream:  "hosts that have it keep it; push the image again, or roll back",
	notice.HostDown:      "Prewarm looks again by itself, and runs go to other hosts; somebody has to look at the machine",
	notice.HostUp:        "nobody has to act",
	notice.DriftRepaired: "find what removes images there, a cron job with docker prune say, and let it spare those of Prewarm",
	notice.DiskPressure:  "see what takes the space, and remove or enlarge it",
	notice.QuotaLow:      "Prewarm waits for the quota; a login with a higher one, or a mirror, mends it",
	notice.ConfigRefused: "the configuration before stays in force; correct the changed one",
}

// reasons are the codes of how runs end, in words.
var reasons = map[problem.Code]string{
	problem.OutOfMemory:     "it needed more memory than it may have",
	problem.DeadlinePassed:  "it took longer than it may",
	problem.CallerSilent:    "who started it did not ask after it any more",
	problem.CancelAsked:     "somebody canceled it",
	problem.Replaced:        "another run took its place",
	problem.ContactLost:     "its host did not answer any more",
	problem.EngineReplaced:  "another machine answers under the name of its host",
	problem.EngineRestarted: "the Docker engine of its host was restarted under it",
	problem.ContainerLost:   "its container is gone",
	problem.ImageLost:       "its image was removed from the host",
	problem.ImageNotWarm:    "its image was not ready on any host in time",
	problem.StartFailed:     "it could not be started",
	problem.NoSpace:         "the disk of its host is full",
	problem.NoHost:          "no host could take it",
	problem.Signaled:        "something outside of it ended the program",
	problem.ResultMissing:   "the program left no result",
	problem.ResultInvalid:   "the result of the program can't be read",
}

// why says why, in words.
func why(d Data) string {
	if d.Run.ID == "" {
		return d.Detail
	}
	words, known := reasons[problem.Code(d.Run.Reason)]
	switch {
	case known:
	case d.Run.Exited && d.Run.ExitCode != 0:
		words = exitWords(d.Run.ExitCode)
	case d.Run.Reason != "":
		words = strings.ReplaceAll(d.Run.Reason, "_", " ")
	}
	detail := d.Detail
	if d.Run.Exited && detail == notice.Ended(d.Run.ExitCode) {
		detail = "" // the words say it better, and of a success there is nothing to say
	}
	switch {
	case words == "" || detail == "" || strings.Contains(words, detail):
		return cmp.Or(words, detail)
	case strings.Contains(detail, words):
		return detail
	}
	return words + ": " + detail
}

// firstSignal is the exit code of a program that a signal ended, less the number
// of the signal.
const firstSignal = 128

// exitWords says what an exit code means.
func exitWords(code int) string {
	switch code {
	case 126:
		return "the command could not be executed (exit code 126)"
	case 127:
		return "the command was not found (exit code 127)"
	case firstSignal + 9:
		return "the program was killed (exit code 137, signal 9)"
	case firstSignal + 11:
		return "the program crashed (exit code 139, signal 11)"
	case firstSignal + 15:
		return "the program was told to stop (exit code 143, signal 15)"
	}
	if signal := code - firstSignal; signal > 0 && signal <= 64 {
		return fmt.Sprintf("a signal ended the program (exit code %d, signal %d)", code, signal)
	}
	return fmt.Sprintf("the program ended with exit code %d", code)
}

// next says what follows and who has to act.
func next(d Data) string {
	switch notice.Kind(d.Kind) {
	case notice.RunFailed:
		return "it is not tried again by itself; " + cmp.Or(d.Meta["owner"], "somebody") + " has to look at it"
	case notice.RunRetrying:
		if d.Run.Try > 0 && d.Run.Tries > d.Run.Try {
			return fmt.Sprintf("it is tried again (try %d of %d follows); nobody has to act", d.Run.Try+1, d.Run.Tries)
		}
		return "it is tried again; nobody has to act"
	}
	return cmp.Or(d.Mend, nexts[notice.Kind(d.Kind)])
}
