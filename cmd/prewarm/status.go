package main

import (
	"cmp"
	"fmt"
	"io"
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
}

func (c *cli) newStatus() *cobra.Command {
	return c.remote(&cobra.Command{
		Use:   "status",
		Short: "Show which host holds what: hosts × images",
		Long: "Shows the hosts, and for every image the digest that runs get now (current) and those on their\n" +
			"way, with their state on each host and, below, why something is not warm.",
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
			s := fleetStatus{Hosts: hosts.Hosts, Images: images.Images}
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
		return
	}
	reasons := s.printImages(w, now)
	if len(reasons) > 0 {
		fmt.Fprintln(w)
		for _, r := range reasons {
			fmt.Fprintln(w, r)
		}
	}
}

func (s fleetStatus) printHosts(w io.Writer) {
	t := newTable(w, "HOST", "CONTACT", "ENGINE", "STORE", "PLATFORM", "PULLS", "RUNS", "SUPERSEDED")
	for _, h := range s.Hosts {
		t.AppendRow(table.Row{
			h.Name, h.Contact, known(h.Engine), known(h.ImageStore), known(h.Platform),
			fmt.Sprintf("%d/%d", h.Pulling, h.Pulls), fmt.Sprintf("%d/%d", h.Running, h.Runs), size(s.superseded(h.Name)),
		})
	}
	t.Render()
}

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

// printImages prints a row for each digest that is current or coming, with a
// column for each host, and gives the reasons that did not fit in.
func (s fleetStatus) printImages(w io.Writer, now time.Time) (reasons []string) {
	columns := []string{"IMAGE", "DIGEST", "PHASE"}
	for _, h := range s.Hosts {
		columns = append(columns, h.Name)
		if h.Reason != "" {
			reasons = append(reasons, h.Name+": "+h.Reason)
		}
	}
	t := newTable(w, columns...)
	for _, image := range s.Images {
		for _, track := range image.Tracks {
			name := trackName(image.Name, track.Tag)
			for _, r := range rollouts(track) {
				t.AppendRow(s.row(name, r, now))
				reasons = appendNew(reasons, reasonsOf(name, r)...)
			}
			if len(rollouts(track)) == 0 {
				t.AppendRow(table.Row{name, "-", "not seen yet"})
			}
			if track.CheckError != "" {
				reasons = append(reasons, name+": "+track.CheckError)
			}
		}
	}
	t.Render()
	return reasons
}

func (s fleetStatus) row(name string, r api.Rollout, now time.Time) table.Row {
	row := table.Row{name, shortDigest(r.Digest), phase(r, now)}
	for _, h := range s.Hosts {
		i := slices.IndexFunc(r.Hosts, func(c api.HostCopy) bool { return c.Host == h.Name })
		if i < 0 {
			row = append(row, "-")
			continue
		}
		row = append(row, cell(r.Hosts[i]))
	}
	return row
}

// cell is a digest on a host in a few letters.
func cell(c api.HostCopy) string {
	if c.State != "pulling" || c.Progress == nil {
		return c.State
	}
	return fmt.Sprintf("pulling %s", percent(*c.Progress))
}

// percent is how much of a pull was downloaded. Layers that the host has
// already never are, so a finished download may stand below 100 %.
func percent(p api.Progress) string {
	if p.TotalBytes == 0 {
		return size(p.Bytes)
	}
	return fmt.Sprintf("%d%% of %s", min(100, p.Bytes*100/p.TotalBytes), size(p.TotalBytes))
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

func appendNew(all []string, more ...string) []string {
	for _, s := range more {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

func rollouts(t api.Track) []api.Rollout {
	if t.Current == nil {
		return t.Coming
	}
	return append([]api.Rollout{*t.Current}, t.Coming...)
}

func phase(r api.Rollout, now time.Time) string {
	since := r.SeenAt
	if r.PromotedAt != nil {
		since = *r.PromotedAt
	}
	return fmt.Sprintf("%s for %s", r.Phase, strings.ToLower(units.HumanDuration(now.Sub(since))))
}

func trackName(image, tag string) string {
	if tag == "" {
		return image
	}
	return image + ":" + tag
}

func shortDigest(d string) string { return d[:min(len(d), len("sha256:")+12)] }

func size(n int64) string { return units.HumanSizeWithPrecision(float64(n), 3) }
