package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

// fleetStatus is what status prints.
type fleetStatus struct {
	Hosts  []api.Host  `json:"hosts"`
	Images []api.Image `json:"images"`
	Pauses []api.Pause `json:"pauses"`

	Configuration api.Configuration `json:"configuration"`
}

func (c *cli) newStatus() *cobra.Command {
	return c.remote(&cobra.Command{
		Use:   "status",
		Short: "Show which host holds what: hosts × images",
		Long: "Shows the hosts, and for every tracked tag the digest that runs get now (current), those on their\n" +
			"way and those that are held, with their state on each host and how long a pull may still take.\n" +
			"Below stands why something is not warm or not live, what is paused, and whether a changed\n" +
			"configuration was refused.",
		Example: "  prewarm status\n" +
			"  prewarm status -o json | jq '.images[].tracks[].current.digest'",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			hosts, err := c.client().Hosts(cmd.Context())
			if err != nil {
				return err
			}
			images, err := c.client().Images(cmd.Context())
			if err != nil {
				return err
			}
			pauses, err := c.client().Pauses(cmd.Context())
			if err != nil {
				return err
			}
			configuration, err := c.client().Configuration(cmd.Context())
			if err != nil {
				return err
			}
			s := fleetStatus{Hosts: hosts.Hosts, Images: images.Images, Pauses: pauses.Pauses, Configuration: configuration}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), s)
			}
			s.print(cmd.OutOrStdout(), time.Now())
			return nil
		},
	})
}

func (s fleetStatus) print(w io.Writer, now time.Time) {
	if len(s.Hosts) == 0 {
		fmt.Fprintln(w, "the configuration has no hosts")
		return
	}
	s.printHosts(w)
	fmt.Fprintln(w)
	if len(s.Images) == 0 {
		fmt.Fprintln(w, "the configuration has no images")
	} else {
		s.printImages(w, now)
	}
	if notes := s.notes(); len(notes) > 0 {
		fmt.Fprintln(w)
		for _, n := range notes {
			fmt.Fprintln(w, n)
		}
	}
}

func (s fleetStatus) printHosts(w io.Writer) {
	t := newTable(w, "HOST", "CONTACT", "ENGINE", "STORE", "PLATFORM", "PULLS", "RUNS", "DISK FREE", "SUPERSEDED", "NOTES")
	for _, h := range s.Hosts {
		t.AppendRow(table.Row{
			h.Name, h.Contact, known(h.Engine), known(h.ImageStore), known(h.Platform),
			fmt.Sprintf("%d/%d", h.Pulling, h.Pulls), fmt.Sprintf("%d/%d", h.Running, h.Runs), diskFree(h.Disk), size(s.superseded(h.Name)), marks(h),
		})
	}
	t.Render()
}

func diskFree(d *api.Disk) string {
	if d == nil {
		return "-"
	}
	return size(d.Free)
}

// marks are what is out of the ordinary on a host, in a few letters.
func marks(h api.Host) string {
	var all []string
	if h.Paused {
		all = append(all, "paused")
	}
	if h.Drained {
		all = append(all, "drained")
	}
	if len(h.Unclaimed) > 0 {
		all = append(all, count(len(h.Unclaimed), "unclaimed container"))
	}
	if h.Drift.LastHour > 0 {
		all = append(all, fmt.Sprintf("drift %d/h", h.Drift.LastHour))
	}
	if math.Abs(h.ClockOffset) > maxSkew.Seconds() {
		all = append(all, fmt.Sprintf("clock %+.0fs", h.ClockOffset))
	}
	return strings.Join(all, ", ")
}

// maxSkew is by how much a host's clock may differ before that is shown.
const maxSkew = 2 * time.Second

// known keeps the columns apart where a host never answered.
func known(s string) string { return cmp.Or(s, "-") }

// superseded is the size of all old digests on a host.
func (s fleetStatus) superseded(host string) int64 {
	var n int64
	for _, image := range s.Images {
		for _, track := range image.Tracks {
			n += track.SupersededBytes[host]
		}
	}
	return n
}

// printImages prints a row for each digest that is current, coming or held, with
// a column for each host.
func (s fleetStatus) printImages(w io.Writer, now time.Time) {
	columns := []string{"IMAGE", "DIGEST", "PHASE", "LEFT"}
	for _, h := range s.Hosts {
		columns = append(columns, h.Name)
	}
	t := newTable(w, columns...)
	for _, image := range s.Images {
		for _, track := range image.Tracks {
			name := trackName(image.Name, track.Tag)
			for _, r := range rollouts(track) {
				t.AppendRow(s.row(name, track, r, now))
			}
			if len(rollouts(track)) == 0 {
				t.AppendRow(table.Row{name, "-", "not seen yet"})
			}
		}
		if len(image.Tracks) == 0 {
			t.AppendRow(table.Row{image.Name, "-", "no tag chosen yet"})
		}
	}
	t.Render()
}

func (s fleetStatus) row(name string, t api.Track, r api.Rollout, now time.Time) table.Row {
	row := table.Row{name, shortDigest(r.Digest), phase(t, r, now), left(r.Hosts)}
	for _, h := range s.Hosts {
		i := slices.IndexFunc(r.Hosts, func(c api.HostCopy) bool { return c.Host == h.Name })
		if i < 0 || r.Phase == "held" { // it is asked of no host yet
			row = append(row, "-")
			continue
		}
		row = append(row, cell(r.Hosts[i]))
	}
	return row
}

// left is how long the longest of the pulls may still take.
func left(hosts []api.HostCopy) string {
	var longest float64
	for _, h := range hosts {
		longest = max(longest, h.RemainingSeconds)
	}
	if longest == 0 {
		return "-"
	}
	return remaining(longest)
}

// remaining is an estimate: nobody needs its fractions.
func remaining(seconds float64) string {
	return max(time.Second, time.Duration(seconds*float64(time.Second)).Round(time.Second)).String()
}

// cell is a digest on a host in a few letters.
func cell(c api.HostCopy) string {
	if c.State != "pulling" || c.Progress == nil {
		return c.State
	}
	text := "pulling " + percent(*c.Progress)
	if c.RateBytes > 0 {
		text += " at " + rate(c.RateBytes)
	}
	return text
}

func rate(bytes float64) string { return size(int64(bytes)) + "/s" }

// percent is how much of a pull was downloaded. Layers that the host has
// already never are, so a finished download may stand below 100 %.
func percent(p api.Progress) string {
	if p.TotalBytes == 0 {
		return size(p.Bytes)
	}
	return fmt.Sprintf("%d%% of %s", min(100, p.Bytes*100/p.TotalBytes), size(p.TotalBytes))
}

func appendNew(all []string, more ...string) []string {
	for _, s := range more {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// rollouts are what is current, then those that are held or coming, the oldest
// first.
func rollouts(t api.Track) []api.Rollout {
	all := slices.Concat(t.Held, t.Coming)
	slices.SortStableFunc(all, func(a, b api.Rollout) int { return a.SeenAt.Compare(b.SeenAt) })
	if t.Current == nil {
		return all
	}
	return append([]api.Rollout{*t.Current}, all...)
}

func phase(t api.Track, r api.Rollout, now time.Time) string {
	since := r.SeenAt
	if r.PromotedAt != nil {
		since = *r.PromotedAt
	}
	text := fmt.Sprintf("%s for %s", r.Phase, strings.ToLower(units.HumanDuration(now.Sub(since))))
	switch {
	case r.Phase == "held":
		text += ": " + holds(r)
	case t.Leaving:
		text += ", leaving"
	}
	return text
}

// holds are why a digest is held.
func holds(r api.Rollout) string {
	words := slices.Clone(r.Holds)
	for i, w := range words {
		words[i] = strings.ReplaceAll(w, "_", " ")
		if w == "cooldown" && r.HeldUntil != nil {
			words[i] += " until " + r.HeldUntil.Local().Format(time.TimeOnly)
		}
	}
	return strings.Join(words, ", ")
}

func trackName(image, tag string) string {
	if tag == "" {
		return image
	}
	return image + ":" + tag
}

func shortDigest(d string) string { return d[:min(len(d), len("sha256:")+12)] }

func size(n int64) string { return units.HumanSizeWithPrecision(float64(n), 3) }
