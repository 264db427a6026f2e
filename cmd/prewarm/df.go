package main

import (
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

// fleetUsage is what df prints.
type fleetUsage struct {
	Hosts  []hostUsage `json:"hosts"`
	Failed []unlisted  `json:"failed,omitempty"`
}

// hostUsage is what images take of a host's disk.
type hostUsage struct {
	Host             string    `json:"host"`
	At               time.Time `json:"at"`
	Disk             *api.Disk `json:"disk,omitempty"`
	HighBytes        int64     `json:"high_bytes,omitempty"`
	LowBytes         int64     `json:"low_bytes,omitempty"`
	Images           int       `json:"images"`
	Bytes            int64     `json:"bytes"`
	OursBytes        int64     `json:"ours_bytes"`
	ReclaimableBytes int64     `json:"reclaimable_bytes"`
	ReclaimableExact bool      `json:"reclaimable_exact"`
}

func (c *cli) newDf() *cobra.Command {
	var hosts []string
	cmd := c.remote(&cobra.Command{
		Use:   "df",
		Short: "Show how full the hosts' disks are, and what images take of them",
		Long: "One line for each host: its disk as far as it is known (? where it is not), the marks between which\n" +
			"prune works, how many images there are, what their layers take (shared ones once), how much of that\n" +
			"is of images that Prewarm keeps, and what the next routine prune would free; ~ marks an estimate.",
		Example: "  prewarm df\n" +
			"  prewarm df -o json | jq '.hosts[] | {host, reclaimable_bytes}'",
		Args: noArgs,
		RunE: stockVerb(c, &hosts, usageOf, printUsage),
	})
	c.hostsFlag(cmd, &hosts)
	return cmd
}

func usageOf(found fleetStock) fleetUsage {
	all := fleetUsage{Hosts: []hostUsage{}, Failed: found.Failed}
	for _, s := range found.Hosts {
		u := hostUsage{
			Host: s.Host, At: s.At, Disk: s.Disk, HighBytes: s.HighBytes, LowBytes: s.LowBytes,
			Images: len(s.Images), Bytes: s.Bytes, OursBytes: s.OursBytes, ReclaimableExact: true,
		}
		for _, i := range s.Images {
			if i.Verdict.Goes {
				u.ReclaimableBytes += i.Verdict.FreesBytes
				u.ReclaimableExact = u.ReclaimableExact && i.LayersExact
			}
		}
		all.Hosts = append(all.Hosts, u)
	}
	return all
}

func printUsage(w io.Writer, all fleetUsage) {
	if len(all.Hosts)+len(all.Failed) == 0 {
		fmt.Fprintln(w, "the configuration has no hosts")
		return
	}
	t := newTable(w, "HOST", "DISK USED", "HIGH", "LOW", "IMAGES", "SIZE", "OURS", "RECLAIMABLE")
	for _, u := range all.Hosts {
		t.AppendRow(table.Row{
			u.Host, diskUsed(u.Disk), mark(u.HighBytes), mark(u.LowBytes), u.Images, size(u.Bytes), size(u.OursBytes),
			guessed(u.ReclaimableBytes, u.ReclaimableExact),
		})
	}
	for _, f := range all.Failed {
		t.AppendRow(table.Row{f.Host, "?", "?", "?", "?", "?", "?", "?"})
	}
	t.Render()
}

func diskUsed(d *api.Disk) string {
	if d == nil || d.Total == 0 {
		return "?"
	}
	used := d.Total - d.Free
	return fmt.Sprintf("%s/%s (%.0f%%)", size(used), size(d.Total), float64(used)/float64(d.Total)*100)
}

// mark is a mark of a disk, where there is one.
func mark(bytes int64) string {
	if bytes == 0 {
		return "-"
	}
	return size(bytes)
}
