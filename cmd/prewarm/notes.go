package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/prewarm/prewarm/internal/api"
)

// notes are what did not fit into the tables of status: why something is not
// warm or not live, each reason once.
func (s fleetStatus) notes() (notes []string) {
	for _, h := range s.Hosts {
		notes = append(notes, hostNotes(h)...)
	}
	for _, image := range s.Images {
		notes = append(notes, imageNotes(image)...)
		for _, track := range image.Tracks {
			notes = appendNew(notes, trackNotes(image.Name, track)...)
		}
	}
	for _, p := range s.Pauses {
		notes = append(notes, pauseText(p))
	}
	if c := s.Configuration; c.RefusedAt != nil {
		notes = append(notes, fmt.Sprintf("a changed configuration was refused at %s, and the one before stays in force: %s", stamp(c.RefusedAt), plain(c.Error)))
	}
	return notes
}

// manyRepairs is how many repairs in an hour are taken for accidents.
const manyRepairs = 3

func hostNotes(h api.Host) (notes []string) {
	if h.Reason != "" {
		notes = append(notes, h.Name+": "+h.Reason)
	}
	if h.Drift.LastHour > manyRepairs {
		notes = append(notes, fmt.Sprintf(
			"%s: something removed images %s within the hour, and they were warmed again: look for a timer there that runs docker image prune -a or docker system prune",
			h.Name, count(h.Drift.LastHour, "time")))
	}
	return notes
}

func imageNotes(image api.Image) (notes []string) {
	if image.HeldAt != nil {
		note := fmt.Sprintf("%s: promotions are held since %s", image.Name, stamp(image.HeldAt))
		if image.HeldBy != "" {
			note += " by " + plain(image.HeldBy)
		}
		notes = append(notes, note+"; prewarm unhold "+image.Name+" ends that")
	}
	if image.Tracking.ListError != "" {
		notes = append(notes, image.Name+": "+image.Tracking.ListError)
	}
	if image.Tracking.ListError == "" && len(image.Tracks) == 0 && image.Tracking.ListedAt != nil {
		notes = append(notes, fmt.Sprintf("%s: its selection chooses no tag; prewarm check %s --explain says why", image.Name, image.Name))
	}
	return notes
}

func trackNotes(image string, t api.Track) (notes []string) {
	name := trackName(image, t.Tag)
	for _, r := range rollouts(t) {
		if r.Phase != "held" {
			notes = append(notes, reasonsOf(name, r)...)
			continue
		}
		if approvable(r) {
			notes = append(notes, fmt.Sprintf("%s %s is held: prewarm approve %s %s lets it pass", name, shortDigest(r.Digest), name, shortDigest(r.Digest)))
		}
		if v := r.Trust.Verdict; v != nil && !v.OK {
			notes = append(notes, fmt.Sprintf("%s %s: %s; prewarm warm %s asks again", name, shortDigest(r.Digest), verdictText(*v), image))
		}
	}
	if t.CheckError != "" {
		notes = append(notes, name+": "+t.CheckError)
	}
	return notes
}

// approvable tells whether an approval would change something.
func approvable(r api.Rollout) bool {
	return !slices.Contains(r.Holds, "verification_failed") &&
		slices.ContainsFunc(r.Holds, func(h string) bool { return h == "approval" || h == "rolled_back" || h == "cooldown" })
}

// verdictText says why a verification did not let a digest pass.
func verdictText(v api.Verdict) string {
	if v.Failure != "" {
		return "its verification could not be carried out: " + plain(v.Failure)
	}
	text := fmt.Sprintf("its verification said no (exit code %d)", v.ExitCode)
	if said := plain(v.Output); said != "" {
		text += ": " + said
	}
	return text
}

// reasonsOf says why a digest is not warm on hosts. What is the host's fault is
// said in the same words for all digests, or by the host itself.
func reasonsOf(name string, r api.Rollout) (reasons []string) {
	for _, c := range r.Hosts {
		if c.Reason == "" || c.State == "unreachable" {
			continue
		}
		if c.State == "duplicate_engine" {
			reasons = append(reasons, c.Host+": "+c.Reason)
			continue
		}
		reason := fmt.Sprintf("%s %s on %s: %s", name, shortDigest(r.Digest), c.Host, c.Reason)
		if c.NextTry != nil {
			reason += fmt.Sprintf(" (failed %s, next try at %s)", count(c.Attempts, "time"), c.NextTry.Local().Format(time.TimeOnly))
		}
		reasons = append(reasons, reason)
	}
	return reasons
}
